package openapi

// Operations are the methods and paths that the document has, such as "GET /api/auth/me", in its order.
func Operations() ([]string, error) {
	r, err := read(document)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(r.operations))
	for i, o := range r.operations {
		names[i] = o.Method + " " + o.Path
	}
	return names, nil
}
