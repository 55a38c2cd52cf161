module example.org/my-plugin

go 1.25

require go.bytecodealliance.org/pkg v0.2.3

// What the bindings stand on, as their generator brings it: nothing is fetched.
replace go.bytecodealliance.org/pkg => ./bindings/pkg
