// Package extauthz serves Envoy's external authorization over gRPC: envoy.service.auth.v3.Authorization replies
// whether a request may pass, and which of its headers change. Package gate decides.
//
// The call itself succeeds whatever the decision is. Envoy handles failed calls by its own configuration, and with
// failure_mode_allow it would let the request pass. Only a message that cannot be read as a call at all fails.
package extauthz
