// Package extauthz answers Envoy, and whatever speaks as it does, over gRPC: envoy.service.auth.v3.Authorization says
// whether a request may pass, and what is to be done to its headers. What may pass is for package gate to decide.
//
// Whatever is decided, the call itself succeeds: a failed call is for Envoy to make up its mind about, and with
// failure_mode_allow it would let the request pass. Only what can't be read as a call at all fails.
package extauthz
