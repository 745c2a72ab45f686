//! End-to-end tests: what a client and an upstream see through a real Envoy.
//!
//! | module | shows |
//! |---|---|
//! | `samples` | the files in `envoy/` are good for the real Envoy, and closed without Gatehouse |
//! | `table` | every kind of answer, over every link and protocol |
//! | `tokens` | bad tokens of every kind |
//! | `forged` | the upstream sees the headers and the path it should, never a forged one |
//! | `limits` | the limit stage and Envoy's rate-limit filter give the same limits |
//! | `policies` | policies that read the body, fail, or write the answer |
//! | `killed` | Gatehouse killed or stopped under load: no request passes without a decision |
//! | `reload` | routes, policies and keys change under load; a broken file changes nothing |
//! | `keys` | key servers that are down, slow or lie |
//! | `floods` | large and many inputs |
//! | `opa_bundles` | bundles from a server that fails, lies and changes, under load |
//! | `opa_drop_in` | a deployment for opa-envoy-plugin in which only the program is another |
//! | `opa_logs` | decision logs in OPA's form, masked, and not lost by a kill |
//! | `opa_plugin` | in the place of opa-envoy-plugin: its answers, case by case |
//! | `secrets` | what must never be logged |
//! | `examples` | each folder of `examples/` |

#[cfg(test)]
mod common;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod floods;
#[cfg(test)]
mod forged;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod opa_bundles;
#[cfg(test)]
mod opa_drop_in;
#[cfg(test)]
mod opa_logs;
#[cfg(test)]
mod opa_plugin;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tokens;
