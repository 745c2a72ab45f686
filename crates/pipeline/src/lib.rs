//! Routes, tenants and the stages of a request. Sees a request through model's RequestView; knows nothing of tonic.
