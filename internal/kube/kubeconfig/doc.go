// Package kubeconfig finds the API server and the identity to reach it with, in one order for every program, and says
// for a person to read why that can't be done.
//
// What is asked of the API server is not its business.
package kubeconfig
