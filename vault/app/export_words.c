/* export_words.c: names of the shipped dictionary and words of the vault, as people read them. */
#include "vault/app/export_sections.h"

#include <string.h>

static const struct export_word words[] = {
    {"address", "Address", "地址"},
    {"awaiting_approval", "waits for approval", "等待批准"},
    {"bank_card", "Bank card", "银行卡"},
    {"basis_ended", "lawful basis ended", "其他法律依据终止"},
    {"basis_recorded", "lawful basis recorded", "已记录其他法律依据"},
    {"birth_date", "Date of birth", "出生日期"},
    {"cancelled", "cancelled", "已取消"},
    {"classes", "Groups of fields", "字段类别"},
    {"complaint", "Complaints", "投诉"},
    {"completed", "completed", "已完成"},
    {"denied", "denied", "已拒绝"},
    {"email", "E-mail", "电子邮箱"},
    {"erase", "erasure", "删除"},
    {"expired", "expired", "已到期"},
    {"export", "access", "查阅、复制"},
    {"fields", "Fields", "字段"},
    {"gender", "Gender", "性别"},
    {"given", "agreed", "同意"},
    {"health_note", "Notes on health", "健康备注"},
    {"iban", "IBAN", "国际银行账号"},
    {"interaction", "Contacts with us", "互动记录"},
    {"name", "Name", "姓名"},
    {"notes", "Notes", "备注"},
    {"object", "objection", "反对"},
    {"objected", "objected", "反对"},
    {"objection_lifted", "objection taken back", "撤回反对"},
    {"on_hold", "partly held by law", "依法部分暂停"},
    {"order", "Orders", "订单"},
    {"passport", "Passport", "护照"},
    {"phone", "Telephone", "电话"},
    {"preferences", "Preferences", "偏好"},
    {"received", "received", "已收到"},
    {"purposes", "Purposes", "目的"},
    {"rectify", "rectification", "更正"},
    {"records", "Records", "记录"},
    {"refused", "refused", "拒绝"},
    {"resident_id", "Resident identity number", "居民身份证号码"},
    {"restrict", "restriction", "限制处理"},
    {"restricted", "restricted", "限制处理"},
    {"restriction_lifted", "restriction lifted", "解除限制"},
    {"running", "under way", "处理中"},
    {"source", "Where it came from", "数据来源"},
    {"survey", "Answers to surveys", "调查答复"},
    {"tags", "Tags", "标签"},
    {"uscc", "Unified social credit code", "统一社会信用代码"},
    {"wechat", "WeChat", "微信"},
    {"withdrawn", "withdrawn", "撤回"},
};

const struct export_word *export_word(const char *word)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(words[i].word, word))
			return &words[i];
	return NULL;
}
