// The first screen: what the page is, a place for a dump, samples, the commands that create a dump. Its words stand in
// index.html, which says the same before any script runs.

import { samples } from "../samples/samples";
import { openTexts } from "../state";
import { CopyButton } from "./copy";

/** Words of index.html, read before the page replaces them. */
const words = (name: string): Element | null => document.querySelector(`[data-words=${name}]`)?.cloneNode(true) as Element | null;
const hero = words("hero");
const make = words("make");

export function Hero() {
  return <div class="hero" dangerouslySetInnerHTML={{ __html: hero?.innerHTML ?? "" }} />;
}

/** The commands that create a dump. */
export function Make() {
  return (
    <div class="make">
      {[...(make?.children ?? [])].map((part, at) => {
        const Tag = part.localName as "p";
        const of = part.getAttribute("data-of");
        const inner = { __html: part.innerHTML };
        if (of === null) return <Tag key={at} dangerouslySetInnerHTML={inner} />;
        return (
          <div class="command" key={at}>
            <pre tabIndex={0} aria-label={of} dangerouslySetInnerHTML={inner} />
            <CopyButton text={part.textContent ?? ""} of={of} />
          </div>
        );
      })}
    </div>
  );
}

/** Dumps to look around with. */
export function Samples() {
  return (
    <section class="samples" aria-labelledby="samples">
      <h2 id="samples">Or look around with a sample</h2>
      <ul>
        {samples.map((sample) => (
          <li key={sample.title}>
            <button type="button" onClick={() => openTexts(sample.texts)}>
              <b>
                <span class="visually-hidden">Open the sample: </span>
                {sample.title}
              </b>
              <span>{sample.about}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
