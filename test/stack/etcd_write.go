package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// EtcdRead returns the newest version of an object as etcd stores it.
func (c *ControlPlane) EtcdRead(ctx context.Context, key string) ([]byte, error) {
	var found struct {
		KVs []struct {
			Value []byte `json:"value"`
		} `json:"kvs"`
	}
	err := c.etcd(ctx, "range", map[string]any{"key": []byte(key)}, &found)
	if err != nil || len(found.KVs) != 1 {
		return nil, fmt.Errorf("etcd has %d objects at %s: %w", len(found.KVs), key, err)
	}
	return found.KVs[0].Value, nil
}

// mostAtOnce is etcd's limit of operations in one transaction.
const mostAtOnce = 100

// EtcdWrite writes objects directly to etcd. The API server treats them as its own, so a test can create many.
func (c *ControlPlane) EtcdWrite(ctx context.Context, writes []EtcdWrite) error {
	for len(writes) > 0 {
		some := writes[:min(mostAtOnce, len(writes))]
		writes = writes[len(some):]
		var puts []any
		for _, w := range some {
			puts = append(puts, map[string]any{"request_put": map[string]any{"key": []byte(w.Key), "value": w.Value}})
		}
		if err := c.etcd(ctx, "txn", map[string]any{"success": puts}, &struct{}{}); err != nil {
			return err
		}
	}
	return nil
}

// etcd sends one request to etcd's JSON API.
func (c *ControlPlane) etcd(ctx context.Context, operation string, ask, answer any) error {
	body, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	url := c.env.ControlPlane.Etcd.URL.String() + "/v3/kv/" + operation
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		return err
	}
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd: %s: %s", reply.Status, text)
	}
	return json.Unmarshal(text, answer)
}
