package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// processOf returns the process of a container, which this machine sees in the container's cgroup: of either version,
// and below a folder for the Pod's class of service, which "Guaranteed" does not have.
func processOf(container string) int {
	GinkgoHelper()
	for _, class := range []string{"", "*"} {
		found := cgroups(filepath.Join("kubepods", class, "pod*", container, "cgroup.procs"))
		if len(found) > 0 {
			return firstProcess(found[0])
		}
	}
	Fail("no cgroup of container " + container)
	return 0
}

// cgroups returns what matches a pattern below the cluster's folder, in each hierarchy of either version.
func cgroups(pattern string) (found []string) {
	GinkgoHelper()
	for _, hierarchy := range []string{"", "*"} {
		path := filepath.Join(hierarchy, "keywright-cluster-"+filepath.Base(folder), pattern)
		found = append(found, glob("/sys/fs/cgroup/"+path)...)
	}
	return found
}

func firstProcess(file string) int {
	GinkgoHelper()
	text, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	processes := strings.Fields(string(text))
	Expect(processes).NotTo(BeEmpty())
	return number(processes[0])
}

func number(text string) int {
	GinkgoHelper()
	n, err := strconv.Atoi(strings.TrimSpace(text))
	Expect(err).NotTo(HaveOccurred())
	return n
}

// clusterNamespaces returns the kernel's namespaces in which the programs and containers of the cluster are, and
// nothing else: everything descends from the supervisor.
func clusterNamespaces() []string {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(folder, "pid"))
	Expect(err).NotTo(HaveOccurred())
	members, own := []int{number(string(text))}, namespacesOf(os.Getpid())
	for children := childrenOfAll(); ; {
		before := len(members)
		for _, member := range slices.Clone(members) {
			members = append(members, children[member]...)
			delete(children, member)
		}
		if len(members) == before {
			break
		}
	}
	var found []string
	for _, member := range members {
		for _, namespace := range namespacesOf(member) {
			if !slices.Contains(own, namespace) && !slices.Contains(found, namespace) {
				found = append(found, namespace)
			}
		}
	}
	// Mounts and the network of the supervisor, mounts of the node, and those of Pods.
	Expect(len(found)).To(BeNumerically(">", 3))
	return found
}

// childrenOfAll returns the children of each process.
func childrenOfAll() map[int][]int {
	GinkgoHelper()
	found := map[int][]int{}
	for _, file := range glob("/proc/[0-9]*/status") {
		status, err := os.ReadFile(file)
		if err != nil {
			continue // the process has ended
		}
		_, parent, _ := strings.Cut(string(status), "\nPPid:")
		parent, _, _ = strings.Cut(parent, "\n")
		found[number(parent)] = append(found[number(parent)], number(filepath.Base(filepath.Dir(file))))
	}
	return found
}

// namespacesOf returns the namespaces of a process for mounts and the network: none once it has ended, even before its
// parent has collected it.
func namespacesOf(process int) (found []string) {
	GinkgoHelper()
	for _, kind := range []string{"mnt", "net"} {
		if namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", process, kind)); err == nil {
			found = append(found, namespace)
		}
	}
	return found
}

func glob(pattern string) []string {
	GinkgoHelper()
	found, err := filepath.Glob(pattern)
	Expect(err).NotTo(HaveOccurred())
	return found
}

// expectGone checks that a removed cluster has left no process, and with them no mount and no interface, and no cgroup
// and no file.
func expectGone(namespaces []string) {
	GinkgoHelper()
	for _, process := range glob("/proc/[0-9]*") {
		for _, namespace := range namespacesOf(number(filepath.Base(process))) {
			Expect(namespaces).NotTo(ContainElement(namespace), process)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	Expect(err).NotTo(HaveOccurred())
	for _, namespace := range append(namespaces, folder) {
		Expect(string(mounts)).NotTo(ContainSubstring(namespace))
	}
	Expect(cgroups("")).To(BeEmpty())
	Expect(folder).NotTo(BeADirectory())
}
