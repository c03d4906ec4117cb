/* SPDX-License-Identifier: MIT
 * lib/search/trial/lenient.c: JSON as Python writes it. */
#include <string.h>

#include "base/text.h"
#include "search/trial/history.h"

/* Python's JSON may have NaN, Infinity and -Infinity: give them as numbers
 * that JSON has. Inside of texts they stay. */
static void replace_tokens(moi_text *text, const char *from)
{
    int32_t quoted = 0;

    while (*from) {
        if (!quoted && strncmp(from, "NaN", 3) == 0) {
            moi_text_add(text, "null");
            from += 3;
        } else if (!quoted && strncmp(from, "Infinity", 8) == 0) {
            moi_text_add(text, "1.7976931348623157e308");
            from += 8;
        } else {
            if (quoted && from[0] == '\\' && from[1])
                moi_text_add_bytes(text, from++, 1);
            else if (*from == '"')
                quoted = !quoted;
            moi_text_add_bytes(text, from++, 1);
        }
    }
}

json_t *moi_json_lenient(mopt_context *ctx, const char *json)
{
    json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
    moi_text text;

    if (value)
        return value;
    moi_text_init(&text, ctx);
    replace_tokens(&text, json);
    if (!text.status)
        value = json_loads(moi_text_get(&text), JSON_DECODE_ANY, NULL);
    moi_text_free(&text);
    return value ? value : json_string(json);
}
