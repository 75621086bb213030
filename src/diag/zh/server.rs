//! Messages of the running server: packages `live` and `server`.

pub(super) const PART: &[(&str, &str)] = &[
    ("cannot write the journal: {}", "无法写入日志文件：{}"),
    ("cannot start a thread: {}", "无法启动线程：{}"),
    ("`{}`: {} lines cannot be read and are passed over", "`{}`：{} 行无法读取，已跳过"),
    ("no incident `{}`", "没有故障 `{}`"),
    ("incident {} is not resolved", "故障 {} 尚未恢复"),
    ("incident {} cannot be merged into itself", "故障 {} 不能合并到自身"),
    ("incident {} is merged into {} already", "故障 {} 已经合并到 {}"),
    ("incident {} is not one that a person merged and that lasts", "故障 {} 不是由人合并且仍在持续的故障"),
    ("`GET /api/v1/incidents` lists them", "`GET /api/v1/incidents` 列出全部故障"),
    ("cannot use the journal in `{}`: {}", "无法使用 `{}` 中的日志文件：{}"),
    (
        "the journal `{}` is damaged from byte {} to byte {}: entry {} should begin there",
        "日志文件 `{}` 的第 {} 到第 {} 字节已损坏：此处应为第 {} 条记录的开头",
    ),
    (
        "{} entries before it and {} behind it are whole ({} damaged places in all): put a sound copy of the file there, or go on without what \
         is lost: `faultscope serve --accept-damage` moves the damaged bytes to files beside it and keeps the rest",
        "其前 {} 条、其后 {} 条记录完好（损坏共 {} 处）：请换上该文件的完好副本；若接受损失继续运行，\
         `faultscope serve --accept-damage` 会把损坏的字节移到旁边的文件中，并保留其余记录",
    ),
    (
        "journal `{}`: {} damaged bytes are in `{}` now; with them {} entries from {} on are lost",
        "日志文件 `{0}`：{1} 个损坏的字节已移到 `{2}`；从第 {4} 条起丢失了 {3} 条记录",
    ),
    ("journal `{}`: removed an incomplete entry of {} bytes at its end", "日志文件 `{}`：删除了末尾 {} 字节的不完整记录"),
    ("the settings have changed and are in use", "设置已更改并生效"),
    ("the settings have changed and are in use, but for {}: that waits for a restart", "设置已更改并生效，但 {} 需重启后才生效"),
    ("the settings in use stay: {}", "仍使用当前设置：{}"),
    ("another server uses the data folder `{}`", "另一个服务正在使用数据目录 `{}`"),
    (
        "{} scores of `{}` are in the journal now, {} were older than it goes back; the file is now `{}`",
        "`{1}` 中的 {0} 条评分已移入日志文件，{2} 条早于其保留期；该文件现为 `{3}`",
    ),
    ("stop it, or choose another folder with `--data DIR`", "请停止该服务，或用 `--data DIR` 指定其他目录"),
    ("the body is larger than {} MiB", "请求体超过 {} MiB"),
    ("cannot read the body: {}", "无法读取请求体：{}"),
    ("rules of {}; the tree of {} has {} and is not used", "当前规则版本为 {}；{} 的文件有 {}，未启用"),
    ("the rules in use have {}; what has none works", "当前规则有 {}；没有错误的部分照常生效"),
    (
        "signals name more than {} pods that the topology does not have: further ones are only names on their signals",
        "信号中出现的、拓扑里没有的 Pod 超过 {} 个：其余的只作为名称保留在信号上",
    ),
    ("the tree is still being loaded", "文件仍在加载"),
    ("the tree has {} and is not used: {}", "文件有 {}，未启用：{}"),
    ("a server in `pull`", "`pull` 中的服务器"),
    ("`{}` is there twice", "`{}` 出现了两次"),
    ("name each server once: all that rules read is asked of each", "每个服务器只写一次：规则读取的全部指标都会向每个服务器查询"),
    (
        "write user and password under `user` and `password`, a token under `token`",
        "用户和密码请写在 `user` 和 `password` 中，令牌写在 `token` 中",
    ),
    ("`{}` is not the address of a server to ask", "`{}` 不是可查询的服务器地址"),
    ("use scheme, host and port, like `http://prometheus:9090`", "请写出协议、主机和端口，例如 `http://prometheus:9090`"),
    ("use one from `{}` to `{}`", "取值范围为 `{}` 到 `{}`"),
    ("a server in `pull` has both `token` and `user`", "`pull` 中的服务器同时设置了 `token` 和 `user`"),
    ("keep the one that the server asks for", "只保留该服务器要求的一种"),
    ("cannot be queried: there is no certificate in its `ca`", "无法查询：`ca` 指定的文件中没有证书"),
    ("answers with what cannot be used ({})", "返回的内容无法使用（{}）"),
    ("answers, but that cannot be kept now ({})", "有响应，但目前无法保存（{}）"),
    ("too many requests wait", "等待处理的请求过多"),
    ("the server is stopping", "服务正在停止"),
    (
        "metrics that nobody sends are asked of `{}`, which {} (since {}): what rests on them is unknown",
        "没有来源推送的指标向 `{}` 查询，但该服务器{}（自 {} 起）：依赖这些指标的条件无法判断",
    ),
];
