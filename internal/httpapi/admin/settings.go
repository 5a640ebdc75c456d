package admin

import (
	"net/http"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage/instance"
)

type settingsRoutes struct{ *instance.Service }

// Settings serves /api/admin/settings.
func Settings(service *instance.Service) httpapi.Group {
	h := &settingsRoutes{service}
	return httpapi.Group{API: API, Routes: []httpapi.Route{
		{Method: http.MethodGet, Path: "admin/settings", Identification: httpapi.Lenient, Serve: h.show},
	}}
}

// instanceState is the reply of GET /api/admin/settings.
type instanceState struct {
	Version       string   `json:"version"`
	Namespace     string   `json:"namespace"`
	KeyNamespaces []string `json:"key_namespaces"`
	Pepper        string   `json:"pepper"`
	// Revision and Since are null while no configuration is in force. Refused is why a newer one is not, or null.
	Revision *string          `json:"revision"`
	Since    *string          `json:"since"`
	Refused  *string          `json:"refused"`
	Database databaseState    `json:"database"`
	Replicas []replicaState   `json:"replicas"`
	InStep   bool             `json:"in_step"`
	Settings []settingInForce `json:"settings"`
}

type databaseState struct {
	Product string `json:"product"`
	// Problem is null while the database can be used.
	Problem *string `json:"problem"`
}

type replicaState struct {
	Name       string  `json:"name"`
	Revision   *string `json:"revision"`
	ReportedAt *string `json:"reported_at"`
	InStep     bool    `json:"in_step"`
	// This is the replica that answers.
	This bool `json:"this"`
}

// settingInForce is a setting as the server runs it. Value is null for the default, and for the bootstrap key.
type settingInForce struct {
	Name    string  `json:"name"`
	Value   *string `json:"value"`
	Default bool    `json:"default"`
	Secret  bool    `json:"secret"`
}

func (h *settingsRoutes) show(c *httpapi.Call) {
	state, err := h.State(c.R.Context(), c.Manager())
	if err == nil {
		_, err = noParameters(c)
	}
	if err != nil {
		fail(c, err)
		return
	}
	reply(c, instanceStateOf(state))
}

func instanceStateOf(s *instance.State) instanceState {
	shown := instanceState{
		Version: s.Version, Namespace: s.Namespace, KeyNamespaces: append([]string{}, s.KeyNamespaces...), Pepper: s.Pepper,
		Revision: httpapi.OrNull(s.Configuration.Revision), Since: httpapi.TimeOrNull(s.Configuration.Since),
		Refused:  errorOrNull(s.Configuration.Refused),
		Database: databaseState{Product: s.Database.Product, Problem: errorOrNull(s.Database.Err)},
		Replicas: []replicaState{}, InStep: s.InStep(), Settings: make([]settingInForce, 0, len(s.Settings)),
	}
	for i := range s.Replicas {
		r := &s.Replicas[i]
		shown.Replicas = append(shown.Replicas, replicaState{
			Name: r.Name, Revision: httpapi.OrNull(r.Revision), ReportedAt: httpapi.TimeOrNull(r.Renewed), InStep: r.InStep,
			This: r.This,
		})
	}
	for i := range s.Settings {
		one := &s.Settings[i]
		shown.Settings = append(shown.Settings, settingInForce{
			Name: one.Name, Value: httpapi.OrNull(one.Value), Default: one.IsDefault(), Secret: one.IsSecret,
		})
	}
	return shown
}

func errorOrNull(err error) *string {
	if err == nil {
		return nil
	}
	return new(err.Error())
}
