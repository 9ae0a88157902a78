-- The scripts that Redis runs. A file of lua/ is put together with its parts by the loader, so
-- names that another part defines look undefined in a single file: `.ci/lua` checks those in the
-- composed scripts, and everything else file by file.
stds.redis = {
  read_globals = {"redis", "cjson", "cmsgpack", "bit", "struct", "KEYS", "ARGV"},
}
std = "lua51+redis"
max_line_length = 100
max_comment_line_length = 110
files["scheduler/beatline/lua"] = {ignore = {"111", "112", "113"}}
-- What a part defines is used by the scripts that include it.
files["scheduler/beatline/lua/parts"] = {ignore = {"211"}}
