//! Messages of the running server: packages `live` and `server`.

pub(super) const PART: &[(&str, &str)] = &[
    ("cannot write the journal: {}", "无法写入日志文件：{}"),
    ("cannot start a thread: {}", "无法启动线程：{}"),
    ("`{}`: {} lines cannot be read and are passed over", "`{}`：{} 行无法读取，已跳过"),
    ("no incident `{}`", "没有故障 `{}`"),
    ("`GET /api/v1/incidents` lists them", "`GET /api/v1/incidents` 列出全部故障"),
    ("cannot use the journal in `{}`: {}", "无法使用 `{}` 中的日志文件：{}"),
    ("journal `{}`: {} damaged bytes passed over", "日志文件 `{}`：跳过了 {} 个损坏的字节"),
    ("journal `{}`: removed an incomplete entry of {} bytes at its end", "日志文件 `{}`：删除了末尾 {} 字节的不完整记录"),
    ("another server uses the data folder `{}`", "另一个服务正在使用数据目录 `{}`"),
    ("stop it, or choose another folder with `--data DIR`", "请停止该服务，或用 `--data DIR` 指定其他目录"),
    ("the body is larger than {} MiB", "请求体超过 {} MiB"),
    ("cannot read the body: {}", "无法读取请求体：{}"),
    ("rules of {}; the tree of {} has {} errors and is not used", "当前规则版本为 {}；{} 的文件有 {} 个错误，未启用"),
    ("the rules in use have {} errors; what has none works", "当前规则有 {} 个错误；没有错误的部分照常生效"),
    ("the tree is still being loaded", "文件仍在加载"),
    ("the tree has {} errors and is not used: {}", "文件有 {} 个错误，未启用：{}"),
];
