package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// EtcdWrite is one version of one object as etcd stored it.
type EtcdWrite struct {
	// Key is such as /registry/secrets/keywright-system/keywright-pepper.
	Key   string
	Value []byte
}

// fromTheBeginning watches all keys from the first revision.
const fromTheBeginning = `{"create_request": {"key": "AA==", "range_end": "AA==", "start_revision": "1"}}`

// watchReply is one message of etcd's JSON watch. Its 64-bit numbers are strings.
type watchReply struct {
	Result struct {
		Header struct {
			Revision string `json:"revision"`
		} `json:"header"`
		CompactRevision string `json:"compact_revision"`
		Events          []struct {
			KV struct {
				Key         []byte `json:"key"`
				Value       []byte `json:"value"`
				ModRevision string `json:"mod_revision"`
			} `json:"kv"`
		} `json:"events"`
	} `json:"result"`
}

// EtcdHistory returns every version of everything ever written to etcd, deleted objects included. It fails once
// kube-apiserver has compacted the history, which it first does after ten minutes.
func (c *ControlPlane) EtcdHistory(ctx context.Context) ([]EtcdWrite, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	url := c.env.ControlPlane.Etcd.URL.String() + "/v3/watch"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewBufferString(fromTheBeginning))
	if err != nil {
		return nil, err
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	return readHistory(json.NewDecoder(reply.Body))
}

// readHistory reads until the revision that was the newest when the watch started.
func readHistory(stream *json.Decoder) ([]EtcdWrite, error) {
	var writes []EtcdWrite
	for newest, reached := int64(-1), int64(0); newest < 0 || reached < newest; {
		var message watchReply
		if err := stream.Decode(&message); err != nil {
			return nil, fmt.Errorf("etcd's history: %w", err)
		}
		if number(message.Result.CompactRevision) > 0 {
			return nil, errors.New("etcd's history has been compacted: read it within ten minutes of the start")
		}
		if newest < 0 {
			newest = number(message.Result.Header.Revision)
		}
		for _, event := range message.Result.Events {
			writes = append(writes, EtcdWrite{string(event.KV.Key), event.KV.Value})
			reached = number(event.KV.ModRevision)
		}
	}
	return writes, nil
}

// number parses a 64-bit number. A missing one is 0.
func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
