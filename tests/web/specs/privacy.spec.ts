// What is given to the page stays in the page, whatever a script in it would try.
import { expect, test, type Checker } from "../support/checker";

const NOWHERE = "http://127.0.0.1:9/";

/** Scripts of the test try to send: nothing may be answered, and all that is said of it is the policy's. */
function tries(checker: Checker): void {
  checker.isTried = true;
}

test("no script in the page can send anything @both", async ({ checker }) => {
  tries(checker);
  await checker.open();
  await checker.openSample();
  await checker.phase("checked");
  await checker.page.evaluate((nowhere) => {
    const refused = new Set<string>();
    document.addEventListener("securitypolicyviolation", (event) => refused.add(event.effectiveDirective));
    const failed: string[] = [];
    Object.assign(window, { tried: { failed, refused } });
    fetch(nowhere).catch(() => failed.push("fetch"));
    fetch(location.href).catch(() => failed.push("fetch of the page itself"));
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
  }, NOWHERE);
  const outcome = (): Promise<{ failed: string[]; refused: string[] }> =>
    checker.page.evaluate(() => {
      const { tried } = window as unknown as { tried: { failed: string[]; refused: Set<string> } };
      return { failed: [...tried.failed].sort(), refused: [...tried.refused].sort() };
    });
  await expect.poll(outcome).toEqual({
    failed: ["events", "fetch", "fetch of the page itself", "socket"],
    refused: ["connect-src", "frame-src", "img-src", "script-src-elem"],
  });
});

test("no form can be sent from the page @both", async ({ checker }) => {
  tries(checker);
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
});

test("no worker of the page can send anything @both", async ({ checker }) => {
  tries(checker);
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
