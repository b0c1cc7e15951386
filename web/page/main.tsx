import { render } from "preact";
import { startRemembering } from "./remember";
import { readText, start } from "./state";
import { App } from "./ui/app";
import "./page.css";

const root = document.getElementById("app");
if (root) {
  root.replaceChildren();
  render(<App />, root);
  // The first paint comes before the module.
  requestAnimationFrame(() =>
    setTimeout(() => {
      start();
      void startRemembering(readText);
    }),
  );
}
