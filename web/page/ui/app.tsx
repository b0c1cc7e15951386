import { outcome } from "../state";
import { tab } from "../result/view";
import { Header } from "./header";
import { InputPane } from "./input-pane";
import { ResultPane } from "./result-pane";

export function App() {
  return (
    <>
      <Header />
      <main class="panes" data-wide={outcome.value !== null && tab.value === "rewrite"}>
        <InputPane />
        <ResultPane />
      </main>
    </>
  );
}
