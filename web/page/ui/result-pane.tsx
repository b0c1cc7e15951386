import { findings, outcome, phase } from "../state";

/** The verdict and the findings. */
export function ResultPane() {
  const report = outcome.value?.result.report;
  return (
    <section class="result" aria-label="Result" aria-live="polite">
      <p data-phase={phase.value.kind}>{phase.value.kind}</p>
      {report && <p class="verdict" data-verdict={report.verdict}>{report.verdict}</p>}
      <ol class="findings">
        {findings.value.map((finding) => (
          <li key={`${finding.file}:${finding.span.start}:${finding.rule}`}>
            {finding.rule} {finding.message}
          </li>
        ))}
      </ol>
    </section>
  );
}
