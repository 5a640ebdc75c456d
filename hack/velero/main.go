// Command velero-folder is an object store plugin of Velero that keeps backups in a folder. build.sh builds it beside
// Velero, for test/velero.
//
// A BackupStorageLocation of provider keywright.dev/folder names the folder in spec.config.folder. A bucket is a folder
// in it, and an object a file.
package main

import (
	"github.com/sirupsen/logrus"
	"github.com/vmware-tanzu/velero/pkg/plugin/framework"
)

func main() {
	framework.NewServer().
		RegisterObjectStore("keywright.dev/folder", func(logrus.FieldLogger) (any, error) { return &store{}, nil }).
		Serve()
}
