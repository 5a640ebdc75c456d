package browser

import (
	"encoding/json"
	"fmt"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// world is the name of the JavaScript world of the tests. Scripts of the page and the page's policy have no effect
// there, and it does not affect the page.
const world = "keywright-tests"

// evaluate returns the JSON of an expression's value in the present document.
func (p *tab) evaluate(expression string, awaits bool) ([]byte, error) {
	context, err := p.world()
	if err != nil {
		return nil, err
	}
	reply, err := cdp.Call(p.ctx, p.target, runtime.Evaluate, runtime.EvaluateParams{
		Expression: expression, ContextID: context, ReturnByValue: new(true), AwaitPromise: new(awaits),
	})
	if err != nil {
		return nil, err
	}
	if reply.ExceptionDetails != nil {
		return nil, &chromedp.ExceptionError{ExceptionDetails: reply.ExceptionDetails}
	}
	return []byte(reply.Result.Value), nil
}

// world returns the world of the tests in the present document, which may be new in it.
func (p *tab) world() (runtime.ExecutionContextID, error) {
	reply, err := cdp.Call(p.ctx, p.target, cdppage.CreateIsolatedWorld, cdppage.CreateIsolatedWorldParams{
		FrameID: cdp.FrameID(p.target.TargetID), WorldName: world,
	})
	return reply.ExecutionContextID, err
}

// object returns the object that is the value of an expression.
func (p *tab) object(expression string, context runtime.ExecutionContextID) (runtime.RemoteObjectID, error) {
	reply, err := cdp.Call(p.ctx, p.target, runtime.Evaluate, runtime.EvaluateParams{
		Expression: expression, ContextID: context,
	})
	switch {
	case err != nil:
		return "", err
	case reply.ExceptionDetails != nil:
		return "", &chromedp.ExceptionError{ExceptionDetails: reply.ExceptionDetails}
	}
	return reply.Result.ObjectID, nil
}

// decode returns the value of an expression.
func decode[T any](p *tab, expression string) (value T) {
	p.t.Helper()
	text, err := p.evaluate(expression, false)
	if err == nil {
		err = json.Unmarshal(text, &value)
	}
	p.must(expression, err)
	return value
}

// ask returns the value of a function of an element, which is this in it.
func ask[T any](p *tab, node cdp.BackendNodeID, function string, args ...any) (value T, err error) {
	context, err := p.world()
	if err != nil {
		return value, err
	}
	resolved, err := cdp.Call(p.ctx, p.target, dom.ResolveNode, dom.ResolveNodeParams{
		BackendNodeID: node, ExecutionContextID: context,
	})
	if err != nil {
		return value, err
	}
	params := runtime.CallFunctionOnParams{
		FunctionDeclaration: function, ObjectID: resolved.Object.ObjectID, ReturnByValue: new(true),
	}
	for _, arg := range args {
		text, err := json.Marshal(arg)
		if err != nil {
			return value, err
		}
		params.Arguments = append(params.Arguments, &runtime.CallArgument{Value: text})
	}
	reply, err := cdp.Call(p.ctx, p.target, runtime.CallFunctionOn, params)
	switch {
	case err != nil:
		return value, err
	case reply.ExceptionDetails != nil:
		return value, &chromedp.ExceptionError{ExceptionDetails: reply.ExceptionDetails}
	}
	err = json.Unmarshal(reply.Result.Value, &value)
	return value, err
}

// unquote returns the text of a JSON string, and other JSON as it is.
func unquote(text []byte) string {
	var s string
	if json.Unmarshal(text, &s) != nil {
		return string(text)
	}
	return s
}

func details(d *audits.InspectorIssueDetails) string {
	text, err := json.Marshal(d)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(text)
}
