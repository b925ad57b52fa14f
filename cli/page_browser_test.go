package cli_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is a Chromium, shared by all that is tested in one.
type browser struct{ ctx context.Context }

// newBrowser starts Debian's Chromium. Where there is none the test is skipped, but not where continuous integration
// runs.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatal(err)
	default:
		t.Skipf("SKIPPED: this test needs Debian's packages chromium and fonts-noto-cjk: %v", err)
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, // which root may not have
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("lang", "en-US"),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"), // nothing leaves this machine
	)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return &browser{ctx}
}

// tab is a window of somebody who has not been here before. What goes wrong in it fails the test: errors in the
// console, what the policy of a page stops, dialogs, and scripts that are not ours.
type tab struct {
	t    *testing.T
	ctx  context.Context
	base string // the address of the admin listener

	mu       sync.Mutex
	wrong    []string
	expected []string
}

// pwned is what hostile texts try to set.
const pwned = "__pwned"

// watcher makes both that and what the policy stops an error in the console, which is seen even if the page is left.
const watcher = `
	document.addEventListener("securitypolicyviolation", (e) => console.error("policy", e.effectiveDirective, e.blockedURI, e.sample))
	Object.defineProperty(window, "` + pwned + `", { set(by) { console.error("a script of somebody else ran:", by) } })`

// open opens a window of 1280 pixels that speaks English.
func (b *browser) open(t *testing.T, base string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	x := &tab{t: t, ctx: ctx, base: base}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, x.note); err != nil {
		t.Fatal(err)
	}
	command(x, audits.Enable, cdp.Empty{})
	command(x, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: watcher})
	x.wide()
	t.Cleanup(func() {
		if t.Failed() {
			x.show()
		}
	})
	t.Cleanup(x.isFine)
	return x
}

// note keeps what goes wrong.
func (x *tab) note(event any) {
	said := ""
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			for _, arg := range e.Args {
				said += fmt.Sprintf("%s%s ", arg.Value, arg.Description)
			}
		}
	case *runtime.EventExceptionThrown:
		said = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			said += e.ExceptionDetails.Exception.Description
		}
	case *cdplog.EventEntryAdded:
		if e.Entry.Level != cdplog.EntryLevelVerbose && e.Entry.Level != cdplog.EntryLevelInfo {
			said = fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *audits.EventIssueAdded:
		if csp := e.Issue.Details.ContentSecurityPolicyIssueDetails; csp != nil {
			said = fmt.Sprintf("the policy stops %s of %s", csp.ViolatedDirective, csp.BlockedURL)
		}
	case *cdppage.EventJavascriptDialogOpening:
		said = "a dialog opens: " + e.Message
		go func() { // it would hold up everything else
			_, _ = chromedp.Call(x.ctx, cdppage.HandleJavaScriptDialog, cdppage.HandleJavaScriptDialogParams{})
		}()
	}
	if said == "" {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.wrong = append(x.wrong, said)
}

// expect says of what has to go wrong in this window: Chromium writes each answer that is no success to the console.
func (x *tab) expect(said string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.expected = append(x.expected, said)
}

// isFine reports what went wrong since it was asked last.
func (x *tab) isFine() {
	x.t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, said := range x.wrong {
		expected := false
		for _, part := range x.expected {
			expected = expected || strings.Contains(said, part)
		}
		if !expected {
			x.t.Errorf("in the browser: %s", said)
		}
	}
	x.wrong = nil
}

// command gives the browser a command of its protocol.
func command[P, R any](x *tab, c cdp.Command[P, R], params P) R {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.ctx, soon)
	defer cancel()
	result, err := chromedp.Call(ctx, c, params)
	if err != nil {
		x.t.Fatalf("%s: %v", c.Method, err)
	}
	return result
}

// do does what a user does.
func (x *tab) do(claim string, steps ...chromedp.Action[chromedp.Void]) {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.ctx, soon)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		x.t.Fatalf("%s: %v", claim, err)
	}
}

// eval evaluates an expression, or a promise.
func eval[T any](x *tab, expression string) (value T) {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.ctx, soon)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		x.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// until waits for an expression to be true.
func (x *tab) until(claim, expression string) {
	x.t.Helper()
	wait[bool](x, claim, "("+expression+") ? true : null")
}

// wait waits for an expression to be something, and gives that. While a page is left there is nothing to evaluate it in.
func wait[T any](x *tab, claim, expression string) T {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.ctx, soon)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		if value, err := chromedp.Run(ctx, chromedp.Evaluate[*T](expression)); err == nil && value != nil {
			return *value
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			x.t.Fatalf("never: %s", claim)
		}
	}
}

// visit opens an address of the admin listener.
func (x *tab) visit(path string) {
	x.t.Helper()
	x.do("visiting "+path, chromedp.Navigate(x.base+path))
}

// click clicks what a selector or an XPath finds first, where it is: once nothing covers it.
func (x *tab) click(what string) {
	x.t.Helper()
	found := fmt.Sprintf("document.querySelector(%q)", what)
	if strings.HasPrefix(what, "/") {
		found = fmt.Sprintf("document.evaluate(%q, document, null, XPathResult.FIRST_ORDERED_NODE_TYPE).singleNodeValue", what)
	}
	at := wait[struct{ X, Y float64 }](x, what+" can be clicked", `(() => {
		const e = `+found+`
		if (document.readyState !== "complete" || !e?.checkVisibility() || e.disabled) return null
		e.scrollIntoView({ block: "center", behavior: "instant" })
		const r = e.getClientRects()[0], p = { X: r.x + r.width / 2, Y: r.y + r.height / 2 }
		return e.contains(document.elementFromPoint(p.X, p.Y)) ? p : null
	})()`)
	x.do("clicking "+what, chromedp.MouseClickXY(at.X, at.Y))
}

// press clicks the button or the link of that name.
func (x *tab) press(name string) {
	x.t.Helper()
	x.click(named(name))
}

// named is the XPath of the button or link of that name.
func named(name string) string {
	return fmt.Sprintf(`//*[self::button or self::a][normalize-space()=%q or @aria-label=%[1]q]`, name)
}

// write puts a text into a field in place of what is there, key by key.
func (x *tab) write(field, text string) {
	x.t.Helper()
	x.click(field)
	eval[*struct{}](x, `document.activeElement.select()`)
	x.do("writing into "+field, chromedp.KeyEvent(text))
}

// sees waits for a text to be shown.
func (x *tab) sees(text string) {
	x.t.Helper()
	x.until(fmt.Sprintf("it shows %q", text), fmt.Sprintf(`document.body.innerText.includes(%q)`, text))
}

// isAt waits for an address.
func (x *tab) isAt(path string) {
	x.t.Helper()
	x.until("the address is "+path, fmt.Sprintf(`location.href === %q && document.readyState === "complete"`, x.base+path))
}

// text is what is shown.
func (x *tab) text() string { return eval[string](x, "document.body.innerText") }

func (x *tab) size(width, height int64, phone bool) {
	x.t.Helper()
	command(x, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: phone,
	})
}

func (x *tab) wide()   { x.size(1280, 900, false) }
func (x *tab) narrow() { x.size(390, 844, true) }

// show writes down where a failed test was.
func (x *tab) show() {
	ctx, cancel := context.WithTimeout(x.ctx, soon)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	x.t.Logf("the browser shows %s (%v)", got, err)
}
