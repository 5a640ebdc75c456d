// Package liveconfig brings the document of ConfigMap keywright-runtime into force in a running server, whole or not
// at all, and knows which one that is. What a document may say is for package settings to decide.
package liveconfig
