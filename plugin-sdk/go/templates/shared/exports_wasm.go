package main

// The component's exports, which call the types that plugin.go names.
import _ "example.org/my-plugin/bindings/wit_exports"
