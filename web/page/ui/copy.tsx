import { copyButton } from "../../view/controls";
import { Drawn } from "./drawn";

/** Copies a text; `of` says what it is, for who does not see it. */
export const CopyButton = ({ text, of }: { text: string; of: string }) => <Drawn key={text} class="drawn" of={() => copyButton(text, of)} />;

/** A command with a button that copies it. */
export function Command({ text, of }: { text: string; of: string }) {
  return (
    <div class="command">
      <pre tabIndex={0} aria-label={of}>
        <code>{text}</code>
      </pre>
      <CopyButton text={text} of={of} />
    </div>
  );
}
