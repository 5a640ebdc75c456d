package browser

import (
	"fmt"
	"net/url"
	"slices"
	"sync"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"keywright.dev/keywright/internal/key/keyformat"
)

// record is what a tab went through.
type record struct {
	mu       sync.Mutex
	problems []string
	// host is that of the first document: no other may be asked for anything.
	host string
	// requests are the ids of requests for documents, whose status is for tests to judge.
	requests []network.RequestID
	// reply had the present document, and loaded counts documents.
	reply  *network.Response
	loaded int
}

func (r *record) problem(format string, args ...any) {
	text := keyformat.Hide(fmt.Sprintf(format, args...), func(string) bool { return false })
	if !slices.Contains(r.problems, text) {
		r.problems = append(r.problems, text)
	}
}

func (r *record) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	problems := r.problems
	r.problems = nil
	return problems
}

func (r *record) loads() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.loaded
}

func (r *record) document() network.Response {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reply == nil {
		return network.Response{}
	}
	return *r.reply
}

// complaints are the calls of a script's console that no page should make.
var complaints = []runtime.ConsoleAPICalledType{
	runtime.ConsoleAPICalledTypeError, runtime.ConsoleAPICalledTypeWarning, runtime.ConsoleAPICalledTypeAssert,
}

// notice records an event. It runs where the messages of the tab are read, and must not send a command.
func (p *tab) notice(event any) {
	r := p.seen
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e := event.(type) {
	case *cdppage.EventLoadEventFired:
		r.loaded++
	case *cdppage.EventFrameNavigated:
		// A document that the browser had kept is not loaded again.
		if e.Type == cdppage.NavigationTypeBackForwardCacheRestore {
			r.loaded++
		}
	case *network.EventRequestWillBeSent:
		r.request(e)
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument {
			r.reply = e.Response
		}
	case *audits.EventIssueAdded:
		r.issue(e.Issue)
	case *log.EventEntryAdded:
		r.entry(e.Entry)
	case *runtime.EventConsoleAPICalled:
		if slices.Contains(complaints, e.Type) {
			r.problem("console.%s: %s", e.Type, texts(e.Args))
		}
	case *runtime.EventExceptionThrown:
		r.problem("uncaught exception: %s", exception(e.ExceptionDetails))
	case *cdppage.EventJavascriptDialogOpening:
		r.problem("a script opened a dialog: %s", e.Message)
		go p.closeDialog()
	}
}

func (r *record) request(e *network.EventRequestWillBeSent) {
	if e.Type == network.ResourceTypeDocument {
		r.requests = append(r.requests, e.RequestID)
	}
	target, err := url.Parse(e.Request.URL)
	if err != nil || target.Host == "" {
		return
	}
	if r.host == "" {
		r.host = target.Host
	}
	if target.Host != r.host {
		r.problem("request to another host: %s", e.Request.URL)
	}
}

// nameOfAutocompletion is a field with a name such as "name", which Chromium takes for a confused attribute.
const nameOfAutocompletion = audits.GenericIssueErrorTypeFormInputAssignedAutocompleteValueToIDOrNameAttributeError

// issue records what Chromium's panel "Issues" shows.
func (r *record) issue(issue *audits.InspectorIssue) {
	csp, generic := issue.Details.ContentSecurityPolicyIssueDetails, issue.Details.GenericIssueDetails
	if generic != nil && generic.ErrorType == nameOfAutocompletion {
		return
	}
	if csp == nil {
		r.problem("%s %s", issue.Code, details(issue.Details))
		return
	}
	where := ""
	if at := csp.SourceCodeLocation; at != nil {
		where = fmt.Sprintf(" at %s:%d:%d", at.URL, at.LineNumber+1, at.ColumnNumber)
	}
	r.problem("Content-Security-Policy: %s violated by %s %s%s", csp.ViolatedDirective,
		csp.ContentSecurityPolicyViolationType, csp.BlockedURL, where)
}

// entry records a line of the console that a script did not write. Chromium reports the status of a document there too.
func (r *record) entry(entry *log.Entry) {
	ofDocument := entry.Source == log.EntrySourceNetwork && slices.Contains(r.requests, entry.NetworkRequestID)
	if ofDocument || entry.Level != log.EntryLevelError && entry.Level != log.EntryLevelWarning {
		return
	}
	r.problem("%s: %s (%s)", entry.Source, entry.Text, entry.URL)
}

func (p *tab) closeDialog() {
	_, _ = cdp.Call(p.ctx, p.target, cdppage.HandleJavaScriptDialog, cdppage.HandleJavaScriptDialogParams{Accept: true})
}

func texts(args []*runtime.RemoteObject) (all []string) {
	for _, arg := range args {
		text := arg.Description
		if text == "" {
			text = unquote(arg.Value)
		}
		all = append(all, text)
	}
	return all
}

func exception(e *runtime.ExceptionDetails) string {
	return (&chromedp.ExceptionError{ExceptionDetails: e}).Error()
}
