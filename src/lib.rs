//! faultscope: expert-first fault localization. See `ARCHITECTURE.md` for the map.
