/* SPDX-License-Identifier: MIT
 * tests/unit/data/test_tables.c: tables as text: CSV and ARFF. */
#include <locale.h>
#include <math.h>
#include <zlib.h>

#include "data_kit.h"
#include "learn/data/dataset.h"

#define GAP ((double)NAN)

/* The same content in different clothes. */
static const double plain_x[] = {1, 0.5, -2, 30, 0, 4};
static const double plain_y[] = {0, 1, 0};

static const char *const plain[][2] = {
    {"1,0.5,no\n-2,30,yes\n0,4,no\n", ""},
    {"1,0.5,no\r\n-2,30,yes\r\n0,4,no\r\n", ""},
    {"1,0.5,no\n-2,30,yes\n0,4,no", ""},
    {"1,0.5,no\n\n-2,30,yes\n   \n0,4,no\n\n\n\n", ""},
    {"\xef\xbb\xbf" "1,0.5,no\n-2,30,yes\n0,4,no\n", ""},
    {"1;0.5;no\n-2;30;yes\n0;4;no\n", ""},
    {"1\t0.5\tno\n-2\t30\tyes\n0\t4\tno\n", ""},
    {"1|0.5|no\n-2|30|yes\n0|4|no\n", ""},
    {"1 0.5 no\n-2   30 yes \n 0  4\tno\n", ""},
    {"\"1\";\"0.5\";\"no\"\n-2;30;\"yes\"\n0;4;no\n", ""},
    {"\"1\" 0.5  \"no\"\n-2 30\t\"yes\" \n 0 \"4\" no\n", ""},
    {"1:0.5:no\n-2:30:yes\n0:4:no\n", ", \"delimiter\": \":\""},
    {"1\t0.5\tno\n-2\t30\tyes\n0\t4\tno\n", ", \"delimiter\": \"tab\""},
    {" 1 ,\t0.5, no\n-2 , 30,yes \n0,4 ,no\n", ""},
    {"\"1\",\"0.5\",\"no\"\n\"-2\",30,\"yes\"\n0,\"4\",no\n", ""},
    {"a,b,c\n1,0.5,no\n-2,30,yes\n0,4,no\n", ""},
    {"\"a\",\"b\",\"c\"\n1,0.5,no\n-2,30,yes\n0,4,no\n", ""},
    {"a,b,c\n1,0.5,no\n-2,30,yes\n0,4,no\n", ", \"target\": \"c\""},
    {"a,b,c\n1,0.5,no\n-2,30,yes\n0,4,no\n", ", \"target\": \"2\""},
    {"c,a,b\nno,1,0.5\nyes,-2,30\nno,0,4\n", ", \"target\": \"c\""},
    {"c,a,b\nno,1,0.5\nyes,-2,30\nno,0,4\n", ", \"target\": \"0\""},
    {"|a line\n1,0.5,no\n|another\n-2,30,yes\n0,4,no\n",
     ", \"comment\": \"|#\""},
    {"x\ny\n1,0.5,no\n-2,30,yes\n0,4,no\n", ", \"skip\": 2"},
    {"7,1,0.5,no\n8,-2,30,yes\n9,0,4,no\n", ", \"drop\": \"0\""},
    {"id,a,b,z,c\n7,1,0.5,1,no\n8,-2,30,1,yes\n9,0,4,1,no\n",
     ", \"drop\": \"id, -2\""},
    {"1,0.5,no.\n-2,30,yes\n0,4,no..\n", ", \"strip\": \".\""},
    {"1,+.5,no\n-2e0,3E+1,yes\n0x,4,no\n", ", \"missing\": \"0x\""},
};

START_TEST(test_plain)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    double x[6];

    kit_ok(data_csv(ctx, plain[_i][0], plain[_i][1], &data));
    memcpy(x, plain_x, sizeof x);
    if (strstr(plain[_i][0], "0x"))
        x[4] = GAP;
    data_is(data, 3, 2, x, plain_y);
    data_says(data, "\"names\": [\"no\", \"yes\"]");
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* Quoted fields: delimiters, line ends, doubled quotes. */
START_TEST(test_quotes)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    const double x[] = {1, 2, 2, 0, 3, 1};
    const double y[] = {1, 0, 1};

    kit_ok(data_csv(ctx,
                    "n,\"a \"\"text\"\", long\",class\n"
                    "1,\"two\nlines, a comma\",\"y,es\"\n"
                    "2,\"a \"\"quote\"\"\" , no\n"
                    "3,\"inch 5\"\"\",\"y,es\"", "", &data));
    data_is(data, 3, 2, x, y);
    data_says(data, "\"name\": \"a \\\"text\\\", long\"");
    data_says(data, "[\"a \\\"quote\\\"\", \"inch 5\\\"\", "
                    "\"two\\nlines, a comma\"]");
    data_says(data, "[\"no\", \"y,es\"]");
    mopt_dataset_free(data);
    /* A quote inside a bare field is a character. */
    kit_ok(data_csv(ctx, "5\",1\n6\",2\n\"7\"\"\",3\n",
                    ", \"task\": \"number\"", &data));
    data_says(data, "[\"5\\\"\", \"6\\\"\", \"7\\\"\"]");
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* Fields and records that do not fit into the first buffer. */
START_TEST(test_long_fields)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    const size_t size = 700000;
    char *text = malloc(2 * size + 100);
    size_t used = 0;

    ck_assert_ptr_nonnull(text);
    float label[2];

    for (int row = 0; row < 2; row++) {
        used += (size_t)snprintf(text + used, 10, "%d,\"", row);
        memset(text + used, 'a' + row, size);
        text[used + size / 2] = row ? '\n' : ',';
        used += size;
        used += (size_t)snprintf(text + used, 10, "\",%s\n",
                                 row ? "u" : "t");
    }
    kit_ok(data_csv(ctx, text, "", &data));
    kit_ok(mopt_dataset_read(data, 0, 2, NULL, label));
    ck_assert_float_eq(label[0], 0);
    ck_assert_float_eq(label[1], 1);
    mopt_dataset_free(data);
    free(text);
    kit_end(ctx);
}
END_TEST

/* Every kind of byte at the end of the buffer: records are long, and shifted
 * by a byte from file to file. */
START_TEST(test_buffer_ends)
{
    enum { LONG = 262144 };
    static const char tail[] = "\",\"x\"\"y\" ,\"a,\nb\"\r\n2,z,\"c\"\n";
    mopt_context *ctx = kit_begin();
    char *text = malloc(LONG + 100);

    ck_assert_ptr_nonnull(text);
    for (int shift = 0; shift < 32; shift++) {
        mopt_dataset *data = NULL;
        float y[2];
        memset(text, 'q', LONG);
        text[0] = '"';
        strcpy(text + LONG - shift, tail);
        kit_ok(data_csv(ctx, text, ", \"header\": \"no\"", &data));
        kit_ok(mopt_dataset_read(data, 0, 2, NULL, y));
        ck_assert_float_eq(y[0], 0);
        ck_assert_float_eq(y[1], 1);
        data_says(data, "[\"x\\\"y\", \"z\"]");
        data_says(data, "[\"a,\\nb\", \"c\"]");
        mopt_dataset_free(data);
    }
    free(text);
    kit_end(ctx);
}
END_TEST

START_TEST(test_missing)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    const double x[] = {1, 0, GAP, GAP, 3, GAP, GAP, 1, GAP, GAP};

    kit_ok(data_csv(ctx, "1,red,0\n?,NA,1\n3,,0\nnan,blue,1\n,?,0\n", "",
                    &data));
    /* Sorted: blue 0, red 1. */
    {
        double want[10];
        memcpy(want, x, sizeof want);
        want[1] = 1;
        want[7] = 0;
        data_is(data, 5, 2, want, NULL);
    }
    ck_assert_int_eq(moi_dataset_ready(data), 0);
    data_says(data, "\"missing\": 3, \"min\": 1.0, \"max\": 3.0");
    mopt_dataset_free(data);
    {
        const double want[] = {1, GAP, 3, GAP};
        kit_ok(data_csv(ctx, "1,0\n-999,1\n3,0\n-999.0,1\n",
                        ", \"missing\": \"-999\"", &data));
        data_is(data, 4, 1, want, NULL);
        mopt_dataset_free(data);
    }
    kit_end(ctx);
}
END_TEST

/* Which columns are categories: texts, also after gaps, and named numbers. */
START_TEST(test_categories)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    const double x[] = {2, 0, 1, 1, 0, 2};
    char text[40000];
    size_t used = 0;

    /* Numbers sort by value. */
    kit_ok(data_csv(ctx, "zip,h,y\n100,a,1\n20,b,2\n3,c,3\n",
                    ", \"categorical\": \"zip\"", &data));
    data_is(data, 3, 2, x, NULL);
    data_says(data, "[\"3\", \"20\", \"100\"]");
    mopt_dataset_free(data);
    /* The first text comes far behind the part that is looked at first. */
    for (int i = 0; i < 3000; i++)
        used += (size_t)snprintf(text + used, 100, "%d,,0\n", i % 10);
    snprintf(text + used, 100, "1,late,1\n");
    kit_ok(data_csv(ctx, text, "", &data));
    data_says(data, "\"missing\": 3000, \"categories\": [\"late\"]");
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* Bytes that are no UTF-8 are Latin-1, so that names are always texts. */
START_TEST(test_latin_names)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;

    kit_ok(data_csv(ctx, "stra\xdf" "e,y\nK\xf6ln,1\nM\xc3\xbcnchen,2\n"
                         "\xed\xa0\x80,3\n",
                    ", \"header\": \"yes\"", &data));
    data_says(data, "stra\xc3\x9f" "e");
    data_says(data, "K\xc3\xb6ln");
    data_says(data, "M\xc3\xbcnchen");
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* What the target is, as guessed and as told. */
START_TEST(test_targets)
{
    static const struct {
        const char *more;
        const char *says;
    } cases[] = {
        {"", "\"kind\": \"class\", \"classes\": 2"},
        {", \"task\": \"number\"", "\"kind\": \"number\", \"numbers\": 1"},
        {", \"target\": \"0\"", "\"kind\": \"number\""},
        {", \"target\": \"0\", \"task\": \"class\"",
         "\"classes\": 8, \"counts\": [1, 1, 1, 1, 1, 1, 1, 1], \"names\": "
         "[\"-1\", \"0.5\", \"1.5\", \"2.5\", \"3.5\", \"4.5\", \"5.5\", "
         "\"6.5\"]"},
        {", \"target\": \"0,1\"", "\"numbers\": 2"},
        {", \"target\": \"\"", "\"kind\": \"none\""},
        {", \"positive\": \"4\"", "\"names\": [\"rest\", \"4\"]"},
        {", \"positive\": \"4\"", "\"counts\": [5, 3]"},
    };
    mopt_context *ctx = kit_begin();

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mopt_dataset *data = NULL;
        kit_ok(data_csv(ctx,
                        "0.5,9,4\n1.5,8,7\n2.5,7,7\n3.5,6,4\n4.5,5,7\n"
                        "5.5,4,7\n6.5,3,4\n-1,2,7\n", cases[i].more, &data));
        data_says(data, cases[i].says);
        mopt_dataset_free(data);
    }
    kit_end(ctx);
}
END_TEST

/* Errors say where and what. */
static const struct {
    const char *text, *more;
    int32_t code;
    const char *says;
} wrong[] = {
    {"", "", MOPT_EFORMAT, "has no rows"},
    {"\n\n", "", MOPT_EFORMAT, "has no rows"},
    {"a,b\n", ", \"header\": \"yes\"", MOPT_EFORMAT, "has no rows"},
    {"1,2\n3\n", "", MOPT_EFORMAT, "line 2: 1 field, where"},
    {"|x\n1,2\n3,4\n", "", MOPT_EFORMAT, "source.comment"},
    {"1,2\n3,4,5\n", "", MOPT_EFORMAT, "3 fields"},
    {"1,2\n3,\"4\n", "", MOPT_EFORMAT,
     "line 2, field 2: a quote is opened and never closed"},
    {"1,2\n3,\"4\"5\n", "", MOPT_EFORMAT, "behind the closing quote"},
    {"1\n2\n", "", MOPT_EFORMAT, "none of which is left as a feature"},
    {"1,2\n3,\n", "", MOPT_EFORMAT, "the target is missing"},
    {"1,2\n3,?\n", "", MOPT_EFORMAT, "line 2, column 1: the target"},
    {"1,2\n1e39,4\n", "", MOPT_EFORMAT, "1e39 is too large"},
    {"1,2\ninf,4\n", "", MOPT_EFORMAT, "too large"},
    {"1,a\n2,b\n", ", \"task\": \"number\"", MOPT_EFORMAT, "holds texts"},
    {"1,a\n2,b\n", ", \"target\": \"2\"", MOPT_EINVAL, "no column '2'"},
    {"1,a\n2,b\n", ", \"target\": \"-3\"", MOPT_EINVAL, "no column '-3'"},
    {"age,pay\n1,2\n2,3\n", ", \"target\": \"agee\"", MOPT_EINVAL,
     "the nearest is 'age'"},
    {"age,pay\n1,2\n2,3\n", ", \"drop\": \"x\"", MOPT_EINVAL, "source.drop"},
    {"1,2,a\n2,3,b\n", ", \"target\": \"1,2\"", MOPT_EINVAL,
     "each must be numbers"},
    {"1,a\n2,b\n", ", \"positive\": \"c\"", MOPT_EINVAL, "no class 'c'"},
    {"1,1.5\n2,2.5\n", ", \"positive\": \"c\"", MOPT_EINVAL,
     "the target of"},
    {"1,a\n2,b\n", ", \"delimiter\": \"::\"", MOPT_EINVAL, "'::'"},
    {"1,a\n2,b\n", ", \"delimiter\": \"\\\"\"", MOPT_EINVAL, "delimiter"},
};

START_TEST(test_wrong)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;

    kit_fails(data_csv(ctx, wrong[_i].text, wrong[_i].more, &data),
              wrong[_i].code);
    kit_says(wrong[_i].says);
    ck_assert_ptr_null(data);
    kit_end(ctx);
}
END_TEST

/* A text among numbers, behind what is looked at first, is told of, not taken
 * for a category. */
START_TEST(test_late_text)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    char text[40000];
    size_t used = 0;

    for (int i = 0; i < 3000; i++)
        used += (size_t)snprintf(text + used, 100, "%d,0\n", i);
    snprintf(text + used, 100, "12a,1\n");
    kit_fails(data_csv(ctx, text, "", &data), MOPT_EFORMAT);
    kit_says("line 3001, column 0: '12a' is no number");
    kit_says("source.categorical");
    kit_end(ctx);
}
END_TEST

START_TEST(test_no_text_files)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    const char *path = kit_path("table.csv");
    static const char utf16[] = "\xff\xfe" "1\0,\0002\0\n";

    kit_write(path, utf16, sizeof utf16);
    kit_fails(data_load(ctx, MOPT_PART_TRAIN, &data,
                        "{\"source\": {\"type\": \"csv\", \"path\": \"%s\"}}",
                        path), MOPT_EFORMAT);
    kit_says("zero byte");
    kit_fails(data_load(ctx, MOPT_PART_TRAIN, &data,
                        "{\"source\": {\"type\": \"csv\", \"path\": "
                        "\"/nowhere/x.csv\"}}"), MOPT_ENOENT);
    kit_says("/nowhere/x.csv");
    kit_fails(data_load(ctx, MOPT_PART_TRAIN, &data,
                        "{\"source\": {\"type\": \"csv\"}}"), MOPT_EINVAL);
    kit_says("source.path is not set");
    kit_fails(data_load(ctx, MOPT_PART_TEST, &data,
                        "{\"source\": {\"type\": \"csv\", \"path\": \"%s\"}}",
                        path), MOPT_ENOENT);
    kit_says("source.test is not set");
    kit_end(ctx);
}
END_TEST

START_TEST(test_gzip_and_base)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    char folder[400];
    gzFile file = gzopen(kit_path("table.csv.gz"), "wb");

    ck_assert_ptr_nonnull(file);
    gzputs(file, plain[0][0]);
    gzclose(file);
    snprintf(folder, sizeof folder, "%s", kit_path(""));
    kit_ok(data_load(ctx, MOPT_PART_TRAIN, &data,
                     "{\"base\": \"%s\", \"source\": {\"type\": \"csv\", "
                     "\"path\": \"table.csv.gz\"}}", folder));
    data_is(data, 3, 2, plain_x, plain_y);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

START_TEST(test_part_test)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    char train[400];
    const double x[] = {9}, y[] = {0};

    snprintf(train, sizeof train, "%s", data_text("a.csv", "1,0\n2,1\n"));
    kit_ok(data_load(ctx, MOPT_PART_TEST, &data,
                     "{\"source\": {\"type\": \"csv\", \"path\": \"%s\", "
                     "\"task\": \"class\", \"test\": \"%s\"}}", train,
                     data_text("b.csv", "9,1\n")));
    data_is(data, 1, 1, x, y);
    data_says(data, "\"names\": [\"1\"]");
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* Rows marked in a column of a second file are the test part. */
START_TEST(test_mask)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    const double train_x[] = {1, 3}, test_x[] = {2, 4};
    static const char json[] =
        "{\"source\": {\"type\": \"csv\", \"path\": \"%s\", "
        "\"task\": \"number\"}, \"test_mask\": \"%s\", "
        "\"test_mask_column\": %d}";
    char path[400], mask[400];

    snprintf(path, sizeof path, "%s",
             data_text("a.csv", "1,0\n2,1\n3,2\n4,3\n"));
    snprintf(mask, sizeof mask, "%s",
             data_text("mask.csv", "0,0,0\n1,1,0\n0,0,0\n0,1,2\n"));
    kit_ok(data_load(ctx, MOPT_PART_TRAIN, &data, json, path, mask, 1));
    data_is(data, 2, 1, train_x, NULL);
    mopt_dataset_free(data);
    kit_ok(data_load(ctx, MOPT_PART_TEST, &data, json, path, mask, 1));
    data_is(data, 2, 1, test_x, NULL);
    mopt_dataset_free(data);
    data = NULL;
    kit_fails(data_load(ctx, MOPT_PART_TEST, &data, json, path, mask, 2),
              MOPT_EFORMAT);
    kit_says("row 3, column 2 is 2");
    kit_fails(data_load(ctx, MOPT_PART_TEST, &data, json, path, mask, 3),
              MOPT_EINVAL);
    kit_says("has 3 columns");
    data_text("mask.csv", "0\n1\n0\n");
    kit_fails(data_load(ctx, MOPT_PART_TEST, &data, json, path, mask, 0),
              MOPT_EFORMAT);
    kit_says("3 rows of marks for 4 rows");
    data_text("mask.csv", "0\n0\n0\n0\n");
    kit_fails(data_load(ctx, MOPT_PART_TEST, &data, json, path, mask, 0),
              MOPT_EINVAL);
    kit_says("marks no row");
    kit_fails(data_load(ctx, MOPT_PART_TEST, &data, json, path, "/nowhere",
                        0), MOPT_ENOENT);
    ck_assert_ptr_null(data);
    kit_end(ctx);
}
END_TEST

static const char arff[] =
    "% a comment\n"
    "\n"
    "@RELATION 'some thing'\n"
    "@attribute size  NUMERIC\n"
    "@ATTRIBUTE 'hair colour' {black, 'light brown', \"red\"}\r\n"
    "@attribute it\\'s real\n"
    "@attribute class {yes,no}\n"
    "  @DATA\n"
    "% another\n"
    "1.5, red, 3, no\n"
    "\n"
    "?, 'light brown', -1, yes\r\n"
    "2,?,0,'no'\n";

START_TEST(test_arff)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    const double x[] = {1.5, 2, 3, GAP, 1, -1, 2, GAP, 0};
    const double y[] = {1, 0, 1}; /* in the order of their declaration */

    kit_ok(data_arff(ctx, arff, "", &data));
    data_is(data, 3, 3, x, y);
    data_says(data, "\"names\": [\"yes\", \"no\"]");
    data_says(data, "\"name\": \"hair colour\"");
    data_says(data, "[\"black\", \"light brown\", \"red\"]");
    mopt_dataset_free(data);
    kit_fails(data_arff(ctx, arff, ", \"drop\": \"class\", "
                        "\"missing\": \"\"", &data), MOPT_EFORMAT);
    kit_says("'?' is no number");
    kit_end(ctx);
}
END_TEST

/* A numeric target of few values stays a number: the file says what it is. */
START_TEST(test_arff_number)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;

    kit_ok(data_arff(ctx, "@attribute a real\n@attribute b integer\n@data\n"
                          "1,0\n2,1\n3,0\n4,1\n5,0\n6,1\n7,1\n8,1\n", "",
                     &data));
    data_says(data, "\"kind\": \"number\"");
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

static const struct {
    const char *text;
    int32_t code;
    const char *says;
} wrong_arff[] = {
    {"", MOPT_EFORMAT, "no line '@data'"},
    {"1,2\n", MOPT_EFORMAT, "line 1: none of @relation"},
    {"@attribute a real\n", MOPT_EFORMAT, "no line '@data'"},
    {"@attribute a real\n@data\n", MOPT_EFORMAT, "none of which is left"},
    {"@attribute a\n@data\n", MOPT_EFORMAT, "line 1: a name or a value"},
    {"@attribute a complex\n@data\n", MOPT_EFORMAT, "the type of a column"},
    {"@attribute a {x, y\n@data\n", MOPT_EFORMAT, "not closed by '}'"},
    {"@attribute 'a real\n@data\n", MOPT_EFORMAT, "never closed"},
    {"@attribute a real\n@attribute b {x,y}\n@data\n", MOPT_EFORMAT,
     "has no rows"},
    {"@attribute a real\n@attribute b {x,y}\n@data\n1,z\n", MOPT_EFORMAT,
     "line 4, column 'b': 'z' is none of the 2 declared"},
    {"@attribute a real\n@attribute b {x,y}\n@data\nw,x\n", MOPT_EFORMAT,
     "'w' is no number"},
    {"@attribute a real\n@attribute b {x,y}\n@data\n1\n", MOPT_EFORMAT,
     "1 field"},
    {"@attribute a real\n@attribute b {x,y}\n@data\n{0 1}\n",
     MOPT_EUNSUPPORTED, "sparse"},
};

START_TEST(test_wrong_arff)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;

    kit_fails(data_arff(ctx, wrong_arff[_i].text, "", &data),
              wrong_arff[_i].code);
    kit_says(wrong_arff[_i].says);
    ck_assert_ptr_null(data);
    kit_end(ctx);
}
END_TEST

/* A comma as the decimal point of the host changes nothing. */
START_TEST(test_locale)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "de_DE",
                                        "fr_FR.UTF-8", "pl_PL.UTF-8"};
    mopt_context *ctx;
    mopt_dataset *data = NULL;
    int found = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0] && !found; i++)
        found = setlocale(LC_ALL, names[i]) != NULL;
    if (!found)
        return;
    ctx = kit_begin();
    kit_ok(data_csv(ctx, plain[0][0], "", &data));
    data_is(data, 3, 2, plain_x, plain_y);
    data_says(data, "\"mean\": 11.5");
    mopt_dataset_free(data);
    kit_end(ctx);
    setlocale(LC_ALL, "C");
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("tables");
    TCase *tests = tcase_create("tables");

    tcase_add_loop_test(tests, test_plain, 0,
                        (int)(sizeof plain / sizeof plain[0]));
    tcase_add_test(tests, test_quotes);
    tcase_add_test(tests, test_long_fields);
    tcase_add_test(tests, test_buffer_ends);
    tcase_add_test(tests, test_missing);
    tcase_add_test(tests, test_categories);
    tcase_add_test(tests, test_latin_names);
    tcase_add_test(tests, test_targets);
    tcase_add_loop_test(tests, test_wrong, 0,
                        (int)(sizeof wrong / sizeof wrong[0]));
    tcase_add_test(tests, test_late_text);
    tcase_add_test(tests, test_no_text_files);
    tcase_add_test(tests, test_gzip_and_base);
    tcase_add_test(tests, test_part_test);
    tcase_add_test(tests, test_mask);
    tcase_add_test(tests, test_arff);
    tcase_add_test(tests, test_arff_number);
    tcase_add_loop_test(tests, test_wrong_arff, 0,
                        (int)(sizeof wrong_arff / sizeof wrong_arff[0]));
    tcase_add_test(tests, test_locale);
    suite_add_tcase(suite, tests);
    return suite;
}
