import { InputPane } from "./input-pane";
import { ResultPane } from "./result-pane";

export function App() {
  return (
    <>
      <header class="top">
        <h1>
          tsmigrate <span>dump checker</span>
        </h1>
      </header>
      <main class="panes">
        <InputPane />
        <ResultPane />
      </main>
    </>
  );
}
