// The worker in a browser.

import type { Request } from "./protocol";
import { serve } from "./worker";

const scope = self as unknown as DedicatedWorkerGlobalScope;

serve(
  {
    postMessage: (told) => scope.postMessage(told),
    listen: (hear) => (scope.onmessage = ({ data }: MessageEvent<Request>) => hear(data)),
  },
  { open: null },
);
