// Package versions walks the way from v1alpha1 to v1beta1 that docs/spec/versions.md describes, on a real API server
// with live keys, and checks the rules that keep the way open.
//
// There is no v1beta1 yet. The walk installs copies of the CRDs that have a second version with the same schema. The
// operator and the server are the real programs and stay at v1alpha1 until it is no longer served. What programs of a
// later release do is done here, with unstructured objects and the operator's account.
package versions
