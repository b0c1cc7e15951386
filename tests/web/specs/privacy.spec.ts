// What is given to the page stays in the page, whatever a script in it would try.
import { expect, test, type Checker } from "../support/checker";

const NOWHERE = "http://127.0.0.1:9/";

/** Whether any of what was refused got as far as the network. */
async function refusals(checker: Checker): Promise<void> {
  for (const error of checker.errors) expect(error).toMatch(/Content Security Policy|Fetch API cannot load/);
  checker.errors.length = 0;
  expect(checker.answered).toEqual([]);
  checker.left.length = 0;
}

test("no script in the page can send anything @both", async ({ checker }) => {
  await checker.open();
  await checker.openSample();
  await checker.phase("checked");
  const { failed, refused } = await checker.page.evaluate(async (nowhere) => {
    const refused = new Set<string>();
    document.addEventListener("securitypolicyviolation", (event) => refused.add(event.effectiveDirective));
    const failed: string[] = [];
    await fetch(nowhere).catch(() => failed.push("fetch"));
    await fetch(location.href).catch(() => failed.push("fetch of the page itself"));
    navigator.sendBeacon(nowhere, "dump");
    new WebSocket(nowhere.replace("http", "ws")).onerror = () => failed.push("socket");
    new EventSource(nowhere).onerror = () => failed.push("events");
    new Image().src = nowhere;
    const frame = document.createElement("iframe");
    frame.src = nowhere;
    document.body.append(frame);
    const script = document.createElement("script");
    script.src = nowhere;
    document.body.append(script);
    await new Promise((resolve) => setTimeout(resolve, 300));
    return { failed, refused: [...refused].sort() };
  }, NOWHERE);
  expect(failed).toEqual(["fetch", "fetch of the page itself", "socket", "events"]);
  expect(refused).toEqual(["connect-src", "frame-src", "img-src", "script-src-elem"]);
  await refusals(checker);
});

test("no form can be sent from the page @both", async ({ checker }) => {
  await checker.open();
  const refused = await checker.page.evaluate(
    (nowhere) =>
      new Promise<string>((resolve) => {
        document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
        const form = document.createElement("form");
        form.action = nowhere;
        form.method = "post";
        document.body.append(form);
        form.submit();
      }),
    NOWHERE,
  );
  expect(refused).toBe("form-action");
  expect(checker.page.url()).toBe(checker.address);
  await refusals(checker);
});

test("no worker of the page can send anything @both", async ({ checker }) => {
  await checker.open();
  const answer = await checker.page.evaluate(
    (nowhere) =>
      new Promise<string>((resolve) => {
        const script = `fetch("${nowhere}").then(() => postMessage("sent"), () => postMessage("refused"))`;
        const worker = new Worker(URL.createObjectURL(new Blob([script])));
        worker.onmessage = ({ data }: MessageEvent<string>) => resolve(data);
      }),
    NOWHERE,
  );
  expect(answer).toBe("refused");
  await refusals(checker);
});

test("nothing is kept unless somebody asks for it @both", async ({ checker }) => {
  await checker.open();
  await checker.paste("CREATE TABLE public.t (a int);\n");
  await checker.verdict("ready");
  const kept = await checker.page.evaluate(async () => ({
    cookies: document.cookie,
    local: localStorage.length,
    session: sessionStorage.length,
    databases: (await indexedDB.databases()).length,
  }));
  expect(kept).toEqual({ cookies: "", local: 0, session: 0, databases: 0 });
});
