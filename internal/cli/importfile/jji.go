package importfile

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"

	// The driver of SQLite.
	_ "modernc.org/sqlite"
)

// JJI returns the users in the SQLite database of a JJI server, in the order in which they were created. It only reads
// the file.
func JJI(ctx context.Context, path string) ([]User, error) {
	// SQLite itself would only report that it is unable to open the file.
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	address := url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: "mode=ro"}
	database, err := sql.Open("sqlite", address.String())
	if err != nil {
		return nil, err
	}
	defer func() { _ = database.Close() }()
	rows, err := database.QueryContext(ctx, "SELECT username, role, api_key_hash FROM users ORDER BY rowid")
	if err != nil {
		return nil, fmt.Errorf("%s is not a database with the table users(username, role, api_key_hash): %w", path, err)
	}
	defer func() { _ = rows.Close() }()
	var users []User
	for rows.Next() {
		var name, role, hash any
		if err := rows.Scan(&name, &role, &hash); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		users = append(users, userOf(name, role, hash))
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return users, nil
}

// userOf reads a row, whose columns may hold values of any type.
func userOf(name, role, hash any) User {
	u := User{Name: fmt.Sprint(name)}
	text, isText := name.(string)
	if !isText {
		u.Err = fmt.Errorf("the username is not text but %T", name)
		return u
	}
	u.Name = text
	if u.Err = checkUsername(text); u.Err != nil {
		return u
	}
	switch role {
	case "user":
		return u
	case "admin":
	default:
		u.Err = fmt.Errorf("role %.40q is neither admin nor user", fmt.Sprint(role))
		return u
	}
	u.Admin = true
	digest, isText := hash.(string)
	if !isText || digest == "" {
		u.Err = errNoKey
		return u
	}
	u.Sum, u.Err = parseSum(digest)
	return u
}
