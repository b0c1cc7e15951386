import { render } from "preact";
import { startHistory } from "./history";
import { startKeeping } from "./keeping";
import { startRemembering } from "./remember";
import { readText, start } from "./state";
import { App } from "./ui/app";
import "./page.css";

const root = document.getElementById("app");
if (root) {
  root.replaceChildren();
  render(<App />, root);
  startHistory();
  startKeeping();
  // The first paint comes before the module.
  requestAnimationFrame(() =>
    setTimeout(() => {
      start();
      void startRemembering(readText);
    }),
  );
}
