package scenario

import (
	"fmt"
	"net/http"
)

// Steps returns the story, in order. It needs a Keywright without any AdminUser, and applies config/samples.
func Steps() []Step {
	return []Step{
		applyAdmins(),
		awaitKeys(),
		lookAtSecret(),
		useKey(),
		rotateKey(),
		useNewKey(),
		deleteAdmin(),
		keepLastAdmin(),
		applyKey(),
		configureRoutes(),
		rotateWithOverlap(),
		revokeKey(),
		useBootstrapKey(),
		manageOverHTTP(),
		reportUsage(),
	}
}

// The header files of the story's keys, by name.
const (
	first     = "alice"
	second    = "alice-new"
	ci        = "ci"
	ciSecond  = "ci-new"
	bootstrap = "bootstrap"
	dana      = "dana"
)

func applyAdmins() Step {
	return Step{
		Title:  "Two admins are asked for",
		Proves: "the API server took both",
		acts: []act{
			shell{"kubectl apply -k config/samples", []check{
				contains("adminuser.keywright.dev/alice created"),
				contains("adminuser.keywright.dev/bob created"),
			}},
		},
	}
}

func awaitKeys() Step {
	return Step{
		Title:  "The operator issues a key for each",
		Proves: "both keys are accepted",
		acts: []act{
			shell{"kubectl wait adminusers --all --for=condition=Active --timeout=60s", []check{
				contains("adminuser.keywright.dev/alice condition met"),
				contains("adminuser.keywright.dev/bob condition met"),
			}},
			shell{"kubectl get adminusers", []check{
				row("alice", "admin", "True", "True", "Accepted", "alice-admin-key"),
				row("bob", "admin", "True", "True", "Accepted", "bob-key"),
			}},
		},
	}
}

func lookAtSecret() Step {
	return Step{
		Title:  "alice's key is in a Secret",
		Proves: "the Secret holds a key of 49 characters, for alice",
		acts: []act{
			shell{"kubectl describe secret alice-admin-key", []check{
				row("key:", "49", "bytes"),
				row("username:", "5", "bytes"),
			}},
		},
	}
}

func useKey() Step {
	return Step{
		Title:  "The running service accepts the key",
		Proves: "this key authenticates alice, an admin",
		acts: []act{
			take{secret: "alice-admin-key", to: first},
			accepted(first),
			ask{request{header: first}, []check{
				status(http.StatusOK),
				header("X-Auth-User", "alice"),
				header("X-Auth-Subject", "User/alice"),
				header("X-Auth-Admin", "true"),
			}},
		},
	}
}

func rotateKey() Step {
	return Step{
		Title:  "A rotation is asked for, and the old key is refused",
		Proves: "the old key is worth nothing any more",
		acts: []act{
			shell{"kubectl annotate adminuser alice keywright.dev/rotate=please", []check{
				contains("adminuser.keywright.dev/alice annotated"),
			}},
			refused(first),
			ask{request{header: first}, []check{status(http.StatusUnauthorized), contains("invalid token")}},
		},
	}
}

func useNewKey() Step {
	return Step{
		Title:  "The new key is in the same Secret, and is accepted",
		Proves: "alice is in again, with another key",
		acts: []act{
			take{secret: "alice-admin-key", to: second},
			ask{request{header: second}, []check{status(http.StatusOK), header("X-Auth-User", "alice")}},
		},
	}
}

func deleteAdmin() Step {
	return Step{
		Title:  "alice is deleted, and her key is refused",
		Proves: "neither the key nor the Secret outlives alice",
		acts: []act{
			shell{"kubectl delete adminuser alice", []check{contains("deleted")}},
			refused(second),
			ask{request{header: second}, []check{status(http.StatusUnauthorized), contains("invalid token")}},
			shell{"kubectl wait secret/alice-admin-key --for=delete --timeout=30s", nil},
			shell{"kubectl get adminusers,secrets", []check{contains("adminuser.keywright.dev/bob"), lacks("alice")}},
		},
	}
}

func keepLastAdmin() Step {
	return Step{
		Title:  "bob is the last admin and can't be deleted",
		Proves: "one admin always remains, unless its removal is confirmed",
		acts: []act{
			shell{"kubectl wait adminuser/bob --for=condition=LastAdmin --timeout=30s", nil},
			shell{"kubectl delete adminuser bob || true", []check{contains("bob"), contains("keywright-last-admin")}},
		},
	}
}

func applyKey() Step {
	return Step{
		Title:  "A CI job gets a key of its own",
		Proves: "it authenticates Account ci, which is not an admin",
		acts: []act{
			shell{"kubectl apply -f config/samples/apikey_ci.yaml", []check{contains("apikey.keywright.dev/ci created")}},
			shell{"kubectl wait -n default apikey/ci --for=condition=Active --timeout=60s", nil},
			shell{"kubectl get -n default apikeys", []check{row("ci", "Account", "ci", "True", "True", "Accepted")}},
			take{secret: "-n default ci-api-key", to: ci},
			accepted(ci),
			ask{request{header: ci}, []check{
				status(http.StatusOK),
				header("X-Auth-User", ""),
				header("X-Auth-Subject", "Account/ci"),
				header("X-Auth-Admin", "false"),
			}},
		},
	}
}

func configureRoutes() Step {
	read, remove := request{ci, http.MethodGet, "/certs/7"}, request{ci, http.MethodDelete, "/certs/7"}
	const patch = "kubectl patch configmap keywright-config --type=merge -p '%s'"
	return Step{
		Title:  "What a request needs is configured while everything runs",
		Proves: "the job's scopes decide what it may do, as soon as a route asks for one",
		acts: []act{
			ask{remove, []check{status(http.StatusOK)}},
			shell{fmt.Sprintf(patch, `{"data":{"ROUTES":
  "[{match: /certs/, action: certs.read}, {match: DELETE /certs/, action: certs.delete}]"}}`), nil},
			forbidden(remove),
			ask{read, []check{status(http.StatusOK), header("X-Auth-Scopes", "certs.read certs.write")}},
			ask{remove, []check{status(http.StatusForbidden), contains("API key lacks required permission")}},
			shell{fmt.Sprintf(patch, `{"data":{"ROUTES":null}}`), nil},
			accepted(ci),
		},
	}
}

func rotateWithOverlap() Step {
	return Step{
		Title:  "It is rotated, and both keys are accepted while the job has not seen the new one",
		Proves: "a rotation breaks nothing; the old key ends by itself",
		acts: []act{
			shell{"kubectl annotate -n default apikey ci keywright.dev/rotate=please", nil},
			shell{"kubectl wait -n default apikey/ci --timeout=30s \\\n  --for=jsonpath='{.status.lastRotateRequest}'=please",
				nil},
			shell{"kubectl wait -n default apikey/ci --for=condition=Ready --timeout=30s", nil},
			take{secret: "-n default ci-api-key", to: ciSecond},
			accepted(ciSecond),
			ask{request{header: ci}, []check{status(http.StatusOK)}},
			shell{
				"kubectl get -n default apikey ci \\\n" +
					"  -o custom-columns='KEYS:.status.keys[*].state,ENDS:.status.keys[*].expiresAt'",
				[]check{contains("Current"), contains("Overlapping")},
			},
		},
	}
}

func revokeKey() Step {
	return Step{
		Title:  "It is revoked, for good",
		Proves: "neither key is worth anything any more, and there is no way back",
		acts: []act{
			shell{`kubectl patch -n default apikey ci --type=merge -p '{"spec":{"state":"Revoked"}}'`, nil},
			refused(ciSecond),
			ask{request{header: ci}, []check{status(http.StatusUnauthorized), contains("invalid token")}},
			shell{
				`kubectl patch -n default apikey ci --type=merge -p '{"spec":{"state":"Active"}}' || true`,
				[]check{contains("a revoked key stays revoked: create another APIKey")},
			},
			shell{"kubectl delete -n default apikey ci", []check{contains("deleted")}},
		},
	}
}

func useBootstrapKey() Step {
	return Step{
		Title:  "The bootstrap key of the configuration needs no AdminUser",
		Proves: "the bootstrap key authenticates admin",
		acts: []act{
			take{secret: "keywright-bootstrap", to: bootstrap},
			accepted(bootstrap),
			ask{request{header: bootstrap}, []check{
				status(http.StatusOK),
				header("X-Auth-User", "admin"),
				header("X-Auth-Admin", "true"),
			}},
		},
	}
}

func manageOverHTTP() Step {
	return Step{
		Title:  "Another admin is made over HTTP, and demoted",
		Proves: "a key that was in the reply alone has worked, and is refused",
		acts: []act{
			manage{
				header: bootstrap, method: http.MethodPost, path: "/api/admin/users", body: `{"username": "Dana.Fox"}`,
				keyTo: dana, field: "api_key",
			},
			ask{request{header: dana},
				[]check{status(http.StatusOK), header("X-Auth-User", "Dana.Fox"), header("X-Auth-Admin", "true")}},
			shell{"kubectl wait adminuser dana.fox --for=condition=Active --timeout=60s", nil},
			shell{"kubectl get adminuser dana.fox", []check{row("dana.fox", "admin", "True", "True", "Accepted")}},
			manage{
				header: bootstrap, method: http.MethodPut, path: "/api/admin/users/Dana.Fox/role", body: `{"role": "user"}`,
				checks: []check{contains(`{"username":"Dana.Fox","role":"user"}`)},
			},
			ask{request{header: dana}, []check{status(http.StatusUnauthorized)}},
		},
	}
}
