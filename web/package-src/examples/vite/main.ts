// A page that checks a file in a worker, shows what was found, and can cancel.
import { InputError, loadWorker } from "tsmigrate-analyzer";

const file = document.querySelector<HTMLInputElement>("#file")!;
const cancel = document.querySelector<HTMLButtonElement>("#cancel")!;
const out = document.querySelector<HTMLPreElement>("#out")!;

const analyzer = loadWorker();

async function check(blob: File): Promise<string> {
  const { signal, ...controller } = cancelling();
  try {
    const result = await (await analyzer).check([{ blob }], { signal, maxFindings: 100 });
    const lines = result.findings.map(({ line, rule, message }) => `${blob.name}:${line} ${rule} ${message}`);
    return [result.verdict, ...lines].join("\n");
  } catch (error) {
    if (error instanceof InputError) return `${error.what}\n${error.next}`;
    if (signal.aborted) return "Cancelled.";
    throw error;
  } finally {
    controller.done();
  }
}

function cancelling(): { signal: AbortSignal; done: () => void } {
  const controller = new AbortController();
  cancel.disabled = false;
  cancel.onclick = () => controller.abort();
  return { signal: controller.signal, done: () => (cancel.disabled = true) };
}

file.addEventListener("change", async () => {
  const [chosen] = file.files ?? [];
  if (!chosen) return;
  out.textContent = "Checking.";
  out.textContent = await check(chosen);
});
