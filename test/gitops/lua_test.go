package gitops

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// The scripts for Argo CD: of key objects, and of the configuration.
const (
	healthScript        = "health.lua"
	configurationScript = "configuration_health.lua"
)

func readHealthScript() string { return readScript(healthScript) }

func readScript(name string) string {
	script, err := os.ReadFile(filepath.Join("..", "..", "config", "argocd", "component", name))
	if err != nil {
		panic(err)
	}
	return string(script)
}

// health is the result of a script.
type health struct{ status, message string }

// codes are the health codes of Argo CD.
var codes = []string{"Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"}

// assess runs a health script as Argo CD does: with the object as global obj, only the basic and the table library, and
// one second.
func assess(script string, object map[string]any) (h health, err error) {
	l := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer l.Close()
	lua.OpenBase(l)
	lua.OpenTable(l)
	l.SetTop(0)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	l.SetContext(ctx)
	l.SetGlobal("obj", toLua(l, object))
	if err := l.DoString(script); err != nil {
		return h, err
	}
	result, ok := l.Get(-1).(*lua.LTable)
	if !ok {
		return h, fmt.Errorf("the script returned a %s", l.Get(-1).Type())
	}
	status, isText := result.RawGetString("status").(lua.LString)
	message, isTextToo := result.RawGetString("message").(lua.LString)
	if !isText || !isTextToo {
		return h, fmt.Errorf("status is a %s, message a %s", result.RawGetString("status").Type(),
			result.RawGetString("message").Type())
	}
	return health{string(status), string(message)}, nil
}

// toLua converts JSON values to Lua.
func toLua(l *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case map[string]any:
		table := l.NewTable()
		for name, item := range v {
			table.RawSetString(name, toLua(l, item))
		}
		return table
	case []any:
		table := l.NewTable()
		for _, item := range v {
			table.Append(toLua(l, item))
		}
		return table
	case string:
		return lua.LString(v)
	case bool:
		return lua.LBool(v)
	case int64:
		return lua.LNumber(v)
	case float64:
		return lua.LNumber(v)
	case nil:
		return lua.LNil
	}
	panic(fmt.Sprintf("JSON has no %T", value))
}
