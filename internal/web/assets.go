package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
)

// assetsPrefix is the path of all assets.
const assetsPrefix = "/assets/"

//go:embed assets
var assetFiles embed.FS

// asset is a file that pages refer to by a name with its hash, so that browsers may keep it for good.
type asset struct {
	content []byte
	media   string
}

// assets are by the hashed name, and assetNames map the plain names to it.
var assets, assetNames = mustReadAssets()

func mustReadAssets() (byHash map[string]asset, hashed map[string]string) {
	byHash, hashed = map[string]asset{}, map[string]string{}
	entries, err := assetFiles.ReadDir("assets")
	for _, entry := range entries {
		var content []byte
		if content, err = assetFiles.ReadFile("assets/" + entry.Name()); err != nil {
			break
		}
		hash, extension := sha256.Sum256(content), path.Ext(entry.Name())
		name := strings.TrimSuffix(entry.Name(), extension) + "." + hex.EncodeToString(hash[:6]) + extension
		byHash[name], hashed[entry.Name()] = asset{content, mime.TypeByExtension(extension)}, name
	}
	if err != nil {
		panic(err)
	}
	return byHash, hashed
}

// assetPath returns the path of an asset by its plain name.
func assetPath(name string) (string, error) {
	hashed, exists := assetNames[name]
	if !exists {
		return "", fmt.Errorf("no asset %s", name)
	}
	return assetsPrefix + hashed, nil
}

// Assets serves the files that pages refer to. It looks at no caller.
func Assets() (pattern string, handler http.Handler) {
	return "GET " + assetsPrefix, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, exists := assets[strings.TrimPrefix(r.URL.Path, assetsPrefix)]
		if !exists {
			http.Error(w, "Not found", http.StatusNotFound)
			return
		}
		header := w.Header()
		header.Set("Content-Type", file.media)
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
		header.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(file.content)
	})
}
