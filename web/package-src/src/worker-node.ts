// The worker in Node.

import { createReadStream } from "node:fs";
import { parentPort } from "node:worker_threads";
import { serve } from "./worker";

// Only a worker runs this script, and a worker has a port.
if (parentPort) {
  const port = parentPort;
  serve(
    { postMessage: (told) => port.postMessage(told), listen: (hear) => void port.on("message", hear) },
    { open: (path) => createReadStream(path) },
  );
}
