/** What the page's own policy says, in its words. */
const policy = (): string =>
  document.querySelector<HTMLMetaElement>('meta[http-equiv="Content-Security-Policy"]')?.content ?? "";

/** Why one can believe that nothing leaves the page. */
export function About() {
  const rules = policy().split("; ").filter(Boolean);
  return (
    <div class="about">
      <p>
        Your dump is read, checked and rewritten by a program in this page, on your machine. There is no server behind it: no upload,
        no account, no cookies, no analytics, and no fonts or scripts from elsewhere. You need not take our word for it:
      </p>
      <ul>
        <li>
          <b>The browser forbids it.</b> The page has a content security policy without any source to connect to, so that the browser
          refuses whatever would send something. It begins with <code>default-src 'none'</code>, and no <code>connect-src</code> or{" "}
          <code>form-action</code> allows more.
        </li>
        <li>
          <b>It works offline.</b> Switch the network off and go on; or save the page as the single file{" "}
          <code>tsmigrate-checker.html</code> and open it from a disk.
        </li>
        <li>
          <b>Watch it.</b> Open the developer tools (F12), the Network panel, and check a dump: no line appears.
        </li>
        <li>
          <b>Read it.</b> View the source of the page; the policy is at the top. The program is open source, the same analyzer as on
          the command line.
        </li>
      </ul>
      {rules.length > 0 && (
        <details>
          <summary>The policy of this page</summary>
          <ul class="policy">
            {rules.map((rule) => (
              <li key={rule}>
                <code>{rule}</code>
              </li>
            ))}
          </ul>
        </details>
      )}
      <h3>On the command line</h3>
      <p>
        The same check, for dumps of any size and live servers: <code>tsmigrate check schema.sql</code>. <code>tsmigrate migrate</code>{" "}
        moves a database in one go.
      </p>
    </div>
  );
}
