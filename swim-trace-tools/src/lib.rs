//! What can be done with traces: the library behind `swim trace`.

#![forbid(unsafe_code)]
