package scenario

import "net/http"

// Steps is the story, in order. It wants a Keywright without any AdminUser; config/samples is what it applies.
func Steps() []Step {
	return []Step{
		applyAdmins(),
		awaitKeys(),
		lookAtSecret(),
		useKey(),
		rotateKey(),
		useNewKey(),
		deleteAdmin(),
		useBootstrapKey(),
	}
}

// The files that the keys of the story are taken into, by name.
const (
	first     = "alice"
	second    = "alice-new"
	bootstrap = "bootstrap"
)

func applyAdmins() Step {
	return Step{
		Title:  "Two admins are asked for",
		Proves: "the API server took both",
		acts: []act{
			shell{"kubectl apply -k config/samples", []check{
				says("adminuser.keywright.dev/alice created"),
				says("adminuser.keywright.dev/bob created"),
			}},
		},
	}
}

func awaitKeys() Step {
	return Step{
		Title:  "The operator issues a key for each",
		Proves: "both are ready",
		acts: []act{
			shell{"kubectl wait adminusers --all --for=condition=Ready --timeout=60s", []check{
				says("adminuser.keywright.dev/alice condition met"),
				says("adminuser.keywright.dev/bob condition met"),
			}},
			shell{"kubectl get adminusers", []check{
				row("alice", "admin", "True", "Issued", "True", "Accepted", "alice-admin-key"),
				row("bob", "admin", "True", "Issued", "True", "Accepted", "bob-key"),
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
		Proves: "whoever sends this key is alice, an admin",
		acts: []act{
			take{secret: "alice-admin-key", to: first},
			accepted(first),
			ask{first, []check{
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
				says("adminuser.keywright.dev/alice annotated"),
			}},
			refused(first),
			ask{first, []check{status(http.StatusUnauthorized), says("invalid token")}},
		},
	}
}

func useNewKey() Step {
	return Step{
		Title:  "The new key is in the same Secret, and is accepted",
		Proves: "alice is in again, with another key",
		acts: []act{
			take{secret: "alice-admin-key", to: second},
			ask{second, []check{status(http.StatusOK), header("X-Auth-User", "alice")}},
		},
	}
}

func deleteAdmin() Step {
	return Step{
		Title:  "alice is deleted, and her key is refused",
		Proves: "neither the key nor the Secret outlives alice",
		acts: []act{
			shell{"kubectl delete adminuser alice", []check{says("deleted")}},
			refused(second),
			ask{second, []check{status(http.StatusUnauthorized), says("invalid token")}},
			shell{"kubectl wait secret/alice-admin-key --for=delete --timeout=30s", nil},
			shell{"kubectl get adminusers,secrets", []check{says("adminuser.keywright.dev/bob"), lacks("alice")}},
		},
	}
}

func useBootstrapKey() Step {
	return Step{
		Title:  "The bootstrap key of the configuration needs no AdminUser",
		Proves: "whoever sends the bootstrap key is admin",
		acts: []act{
			take{secret: "keywright-bootstrap", to: bootstrap},
			accepted(bootstrap),
			ask{bootstrap, []check{
				status(http.StatusOK),
				header("X-Auth-User", "admin"),
				header("X-Auth-Admin", "true"),
			}},
		},
	}
}
