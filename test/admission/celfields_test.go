package admission

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/parser"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// meaning is what is known about the result of an expression without evaluating it.
type meaning struct {
	// places are the schemas that the result can have.
	places []place
	// keyOf are the schemas of the objects that the result can be a key of.
	keyOf []place
	// texts are the constants that the result can be, or hold if it is a list.
	texts []string
	// items is the meaning of the items of a computed list.
	items *meaning
}

// place is a schema and its path in an object.
type place struct {
	path   string
	schema *schema
}

func union(all ...meaning) (m meaning) {
	for _, one := range all {
		m.places = append(m.places, one.places...)
		m.keyOf = append(m.keyOf, one.keyOf...)
		m.texts = append(m.texts, one.texts...)
		if one.items != nil {
			items := *one.items
			if m.items != nil {
				items = union(*m.items, items)
			}
			m.items = &items
		}
	}
	return m
}

// walker follows the fields that a policy reads through the schemas of its resources.
type walker struct {
	parser *parser.Parser
	policy *admissionv1.ValidatingAdmissionPolicy
	// roots are the schemas of object and oldObject.
	roots []place
	// variables are the meanings of the policy's variables.
	variables map[string]meaning
	// scope are the meanings of the variables of macros such as all.
	scope map[string]meaning
	// complaints are what the schemas do not have, once each.
	complaints map[string]bool
	// reads are the fields that exist.
	reads map[string]bool
}

// walk returns what a policy reads and compares with that the schemas do not have, and the fields that it reads. The
// roots are the schemas of the objects that it matches.
func walk(policy *admissionv1.ValidatingAdmissionPolicy, roots []place) (complaints, reads []string, err error) {
	p, err := parser.NewParser(parser.EnableOptionalSyntax(true))
	if err != nil {
		return nil, nil, err
	}
	w := walker{parser: p, policy: policy, roots: roots, variables: map[string]meaning{}, scope: map[string]meaning{},
		complaints: map[string]bool{}, reads: map[string]bool{}}
	for _, v := range policy.Spec.Variables {
		if w.variables[v.Name], err = w.read(v.Expression); err != nil {
			return nil, nil, err
		}
	}
	for _, expression := range expressions(policy) {
		if _, err := w.read(expression); err != nil {
			return nil, nil, err
		}
	}
	return slices.Sorted(maps.Keys(w.complaints)), slices.Sorted(maps.Keys(w.reads)), nil
}

// expressions returns all expressions of a policy that are not variables.
func expressions(policy *admissionv1.ValidatingAdmissionPolicy) (all []string) {
	for _, condition := range policy.Spec.MatchConditions {
		all = append(all, condition.Expression)
	}
	for _, validation := range policy.Spec.Validations {
		all = append(all, validation.Expression, validation.MessageExpression)
	}
	for _, annotation := range policy.Spec.AuditAnnotations {
		all = append(all, annotation.ValueExpression)
	}
	return slices.DeleteFunc(all, func(expression string) bool { return expression == "" })
}

func (w *walker) read(expression string) (meaning, error) {
	parsed, problems := w.parser.Parse(common.NewTextSource(expression))
	if len(problems.GetErrors()) > 0 {
		return meaning{}, fmt.Errorf("%s: %s", w.policy.Name, problems.ToDisplayString())
	}
	return w.of(parsed.Expr()), nil
}

func (w *walker) complain(format string, args ...any) {
	w.complaints[w.policy.Name+" "+fmt.Sprintf(format, args...)] = true
}

// of returns the meaning of an expression, and looks at everything in it.
func (w *walker) of(e ast.Expr) meaning {
	switch e.Kind() {
	case ast.IdentKind:
		return w.ident(e.AsIdent())
	case ast.LiteralKind:
		if text, ok := e.AsLiteral().Value().(string); ok {
			return meaning{texts: []string{text}}
		}
	case ast.ListKind:
		return w.list(e.AsList().Elements())
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			w.of(entry.AsMapEntry().Key())
			w.of(entry.AsMapEntry().Value())
		}
	case ast.SelectKind:
		s := e.AsSelect()
		if operand := s.Operand(); operand.Kind() == ast.IdentKind && operand.AsIdent() == "variables" {
			return w.variable(s.FieldName())
		}
		return w.field(w.of(s.Operand()), s.FieldName())
	case ast.CallKind:
		return w.call(e.AsCall())
	}
	return meaning{}
}

func (w *walker) ident(name string) meaning {
	if m, found := w.scope[name]; found {
		return m
	}
	if name == "object" || name == "oldObject" {
		return meaning{places: w.roots}
	}
	return meaning{}
}

func (w *walker) variable(name string) meaning {
	m, found := w.variables[name]
	if !found {
		w.complain("reads variable %s, which is not declared before", name)
	}
	return m
}

func (w *walker) list(elements []ast.Expr) meaning {
	all := meaning{}
	for _, element := range elements {
		all = union(all, w.of(element))
	}
	return meaning{texts: all.texts, items: &all}
}

func (w *walker) call(c ast.CallExpr) meaning {
	args := c.Args()
	switch c.FunctionName() {
	case operators.All, operators.Exists, operators.ExistsOne, operators.Filter, operators.Map:
		if c.IsMemberFunction() && len(args) >= 2 && args[0].Kind() == ast.IdentKind {
			return w.macro(c)
		}
	case operators.OptSelect:
		return w.field(w.of(args[0]), textOf(args[1]))
	case operators.Index, operators.OptIndex:
		return w.index(w.of(args[0]), w.of(args[1]))
	case operators.Conditional:
		w.of(args[0])
		return union(w.of(args[1]), w.of(args[2]))
	}
	all := make([]meaning, 0, len(args)+1)
	if c.IsMemberFunction() {
		all = append(all, w.of(c.Target()))
	}
	for _, arg := range args {
		all = append(all, w.of(arg))
	}
	return w.result(c.FunctionName(), all)
}

// result returns the meaning of a call. The first argument is the target, if there is one.
func (w *walker) result(function string, args []meaning) meaning {
	switch function {
	case operators.Equals, operators.NotEquals, operators.In:
		w.compare(args[0], args[1])
		w.compare(args[1], args[0])
		if function == operators.In {
			w.compare(itemOf(args[1]), args[0])
		}
	case "orValue":
		w.compare(args[0], args[1])
		return union(args...)
	case operators.Add, "or", "value", "dyn", "optional.of":
		return union(args...)
	}
	return meaning{}
}

// macro returns the meaning of a call such as list.exists(item, item.field == ”). An object is a list of its keys.
func (w *walker) macro(c ast.CallExpr) meaning {
	target, name, args := w.of(c.Target()), c.Args()[0].AsIdent(), c.Args()[1:]
	item := itemOf(target)
	outer, shadows := w.scope[name]
	w.scope[name] = item
	var last meaning
	for _, arg := range args {
		last = w.of(arg)
	}
	delete(w.scope, name)
	if shadows {
		w.scope[name] = outer
	}
	switch c.FunctionName() {
	case operators.Filter:
		return meaning{items: &item, texts: target.texts}
	case operators.Map:
		return meaning{items: &last}
	}
	return meaning{}
}

func itemOf(list meaning) meaning {
	item := meaning{texts: list.texts}
	for _, p := range list.places {
		if p.schema.Items != nil {
			item.places = append(item.places, place{p.path + "[]", p.schema.Items.Schema})
		} else {
			item.keyOf = append(item.keyOf, p)
		}
	}
	if list.items != nil {
		item = union(item, *list.items)
	}
	return item
}

func (w *walker) index(of, key meaning) meaning {
	if len(key.texts) == 0 {
		return itemOf(meaning{places: lists(of.places), items: of.items})
	}
	all := meaning{}
	for _, name := range key.texts {
		all = union(all, w.field(of, name))
	}
	return all
}

func lists(places []place) []place {
	return slices.DeleteFunc(slices.Clone(places), func(p place) bool { return p.schema.Items == nil })
}

// field returns the meaning of a field. It must exist in all schemas.
func (w *walker) field(of meaning, name string) meaning {
	found := meaning{}
	for _, p := range of.places {
		path := p.path + "." + name
		s := p.schema
		field, exists := s.Properties[name]
		switch {
		case exists && isRemoved(&field):
			w.complain("reads %s, which was removed", path)
		case exists:
			w.reads[path] = true
			found.places = append(found.places, place{path, &field})
		case s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil:
			w.reads[p.path] = true
			found.places = append(found.places, place{path, s.AdditionalProperties.Schema})
		default:
			w.complain("reads %s, which does not exist", path)
		}
	}
	return found
}

// compare complains of constants that a key or a value can never be.
func (w *walker) compare(of, with meaning) {
	for _, text := range with.texts {
		w.key(of.keyOf, text)
		for _, p := range of.places {
			if len(p.schema.Enum) > 0 && !slices.ContainsFunc(p.schema.Enum, isText(text)) {
				w.complain("compares %s with %q, which it can't be", p.path, text)
			}
		}
	}
}

// key complains of a name that no object can have as a key. One policy may list the fields of several kinds.
func (w *walker) key(of []place, name string) {
	has := func(p place) bool {
		_, exists := p.schema.Properties[name]
		return exists
	}
	if slices.ContainsFunc(of, has) {
		of = slices.DeleteFunc(slices.Clone(of), func(p place) bool { return !has(p) })
	}
	for _, p := range of {
		w.field(meaning{places: []place{p}}, name)
	}
}

// isText matches a value of an enum, which is JSON.
func isText(text string) func(apiextensionsv1.JSON) bool {
	return func(value apiextensionsv1.JSON) bool { return string(value.Raw) == strconv.Quote(text) }
}

func textOf(e ast.Expr) string {
	text, _ := e.AsLiteral().Value().(string)
	return text
}

// objectMeta returns the schema of metadata, which a CRD does not have.
func objectMeta() schema {
	meta := schema{Properties: map[string]schema{}}
	text := &schema{Type: "string"}
	for i := range reflect.TypeFor[metav1.ObjectMeta]().NumField() {
		field := reflect.TypeFor[metav1.ObjectMeta]().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		s := schema{}
		switch field.Type.Kind() {
		case reflect.Map:
			s.AdditionalProperties = &apiextensionsv1.JSONSchemaPropsOrBool{Schema: text}
		case reflect.Slice:
			s.Items = &apiextensionsv1.JSONSchemaPropsOrArray{Schema: text}
		default:
		}
		meta.Properties[name] = s
	}
	return meta
}
