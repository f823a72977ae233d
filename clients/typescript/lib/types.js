// What the service takes and gives, as JSON. It is made of
// the service's OpenAPI document, by `python -m clients.generate`.
export {};
