import { folded, isEmpty, outcome, phase } from "../state";
import { rulePage, tab } from "../result/view";
import { Hero, Samples } from "./first";
import { Header } from "./header";
import { InputPane } from "./input-pane";
import { ResultPane } from "./result-pane";
import "./layout.css";

export function App() {
  const isFirst = isEmpty.value && phase.value.kind !== "refused" && rulePage.value === null;
  return (
    <>
      <Header />
      <main
        class="panes"
        data-first={isFirst}
        data-folded={folded.value && !isFirst}
        data-wide={outcome.value !== null && tab.value === "rewrite" && rulePage.value === null}
      >
        {isFirst && <Hero />}
        <InputPane key="input" />
        <ResultPane key="result" isFirst={isFirst} />
        {isFirst && <Samples />}
      </main>
    </>
  );
}
