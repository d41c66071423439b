"""The codes and phrases by which providers say what an error is about: data for declines.py.

Collected from the documentation and the public issues of OpenAI, Azure, Anthropic, Gemini, OpenRouter,
Together, Groq, Mistral, DeepSeek, xAI, Fireworks, DashScope, Moonshot, Zhipu, MiniMax, SiliconFlow,
Volcengine, Hugging Face, Ollama, LM Studio, vLLM, SGLang, llama.cpp, TGI and LiteLLM. Everything is compared
in lower case: codes as a whole, phrases by search.
"""

from __future__ import annotations

import re
from enum import Enum


class Kind(Enum):
    """The subject of an error; see declines.py."""

    CREDIT = "credit"
    KEY = "key"
    ACCOUNT = "account"
    MODEL = "model"
    VISION = "vision"
    SETTING = "setting"
    LENGTH = "length"
    IMAGES = "images"
    PIXELS = "pixels"
    FORMAT = "format"
    FIELD = "field"
    FORM = "form"
    CONTENT = "content"
    BAD_ANSWER = "bad answer"
    LATER = "later"
    UNKNOWN = "unknown"


SIZE = frozenset({Kind.LENGTH, Kind.IMAGES, Kind.PIXELS, Kind.FORMAT})
"""A smaller request, or other images, may be accepted."""

STOPS = frozenset({Kind.CREDIT, Kind.KEY, Kind.ACCOUNT, Kind.MODEL, Kind.VISION, Kind.SETTING})
"""No other document can be answered either."""


def _codes(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives))


SURE_CODES: tuple[tuple[Kind, frozenset[str]], ...] = (
    (
        Kind.CONTENT,
        _codes("""
            content_filter contentfilter responsibleaipolicyviolation data_inspection_failed
            datainspectionfailed content_policy_violation moderation_blocked image_content_policy_violation
            invalid_prompt sensitivecontentdetected inputtextsensitivecontentdetected
            inputimagesensitivecontentdetected outputtextsensitivecontentdetected prohibited_content
            content_moderation 1301
        """),
    ),
    (
        Kind.CREDIT,
        _codes("""
            insufficient_quota billing_hard_limit_reached billing_not_active billing_disabled billing_error
            insufficient_balance arrearage payment_required exceeded_current_quota_error
            insufficient_user_quota accountoverdueerror budget_exceeded insufficient_credits
            credit_limit_exceeded allocationquota.freetieronly spend_limit_reached usage_limit_reached 1008
            1113 1309 30001
        """),
    ),
    (
        Kind.KEY,
        _codes("""
            invalid_api_key invalidapikey api_key_invalid api_key_expired expired_key
            invalid_authentication_error incorrect_api_key_error authentication_error authenticationerror
            unauthenticated token_not_found_in_db
        """),
    ),
)
"""Checked in this order, since an error may carry several codes. These codes decide without the message."""

CODES: tuple[tuple[Kind, frozenset[str]], ...] = (
    (
        Kind.ACCOUNT,
        _codes("""
            account_deactivated organization_deactivated organization_restricted account_suspended
            consumer_suspended user_suspended service_disabled unsupported_country_region_territory
            accessdenied.unpurchased accessdenied.unauthorized subscriptionnotfound permission_error
            permission_denied_error permission_denied key_model_access_denied team_model_access_denied
            project_archived insufficient_permissions access_terminated_error 1110 1111 1112 1121
        """),
    ),
    (
        Kind.MODEL,
        _codes("""
            model_not_found modelnotfound deploymentnotfound invalid_model model_decommissioned
            model_not_available model_not_supported modelnotopen model_deprecated
            invalidendpointormodel.notfound operationnotsupported model.accessdenied model_access_denied
            no_available_channel not_found_error resource_not_found_error unknown_model model_terms_required
            1211 20012
        """),
    ),
    (
        Kind.LENGTH,
        _codes("""
            context_length_exceeded exceed_context_size_error contextwindowexceedederror
            context_window_exceeded string_above_max_length request_too_large request_entity_too_large
            payload_too_large max_tokens_per_request 1261 3051 20015
        """),
    ),
    (Kind.IMAGES, frozenset({"too_many_images", "max_images_exceeded"})),
    (Kind.PIXELS, frozenset({"image_too_large", "image_file_too_large"})),
    (
        Kind.FORMAT,
        _codes("""
            invalid_image_format image_parse_error unsupported_image_media_type invalid_image
            invalid_base64_image unsupported_image
        """),
    ),
    (Kind.BAD_ANSWER, frozenset({"json_validate_failed", "output_parse_failed"})),
    (
        Kind.LATER,
        _codes("""
            rate_limit_exceeded rate_limit_error rate_limit_reached_error overloaded_error
            engine_overloaded_error unavailable_error throttling throttling.ratequota
            throttling.allocationquota limit_requests limit_tokens service_unavailable slow_down 1302 1303
            1305
        """),
    ),
)
"""Checked in this order, after ACCOUNT_WORDS. These codes also have narrower uses, which the message
states."""

UNSUPPORTED_CODES = frozenset(
    {"unsupported_parameter", "unsupported_value", "unknown_parameter", "extra_forbidden"}
)
UNSUPPORTED = _any(
    r"not (?:\w+ )?support|unsupported|n't support|no longer support|does not accept|not implemented",
    r"not permitted|not allowed",
    (
        r"unrecogni[sz]ed|unknown|unexpected|deprecated|literal_error|extra (?:inputs|fields?)|cannot "
        r"find field|invalid parameter"
    ),
    r"only the default|only \S+ is allowed|must be (?:1|unset)\b|cannot be (?:set|used|specified)",
)
"""A field or its value is not supported, as opposed to too large."""

FORM = _any(
    r"response[_. ](?:format|schema)|json[_ -]?schema|json[_ ]object|json mode|structured[_ "
    r"]outputs?|grammar|guided[_ ]|outlines"
)
FORM_FAULT = _any(r"schema|must|invalid|unavailable|fail|compil|expected|too (?:many|complex|large)")
"""A server declines the form of the answer if FORM names it and UNSUPPORTED or FORM_FAULT matches too."""

CREDIT = _any(
    (
        r"credit balance|insufficient[ _](?:account |user )?(?:balance|credit|funds|quota)|balance (?:is "
        r")?(?:insufficient|not enough|too low)"
    ),
    (
        r"(?:out of|used all|no|any|more|add|available|monthly included|prepayment) credits?\b|credit "
        r"limit|billing (?:hard )?limit"
    ),
    (
        r"credits? (?:are|have been|is) (?:depleted|exhausted|used)|spend(?:ing)? limit|billing "
        r"(?:details|is not|not active|account)"
    ),
    (
        r"budget has been exceeded|exceededbudget|usage limits?\b|free-models-per-day|calls / month|in "
        r"arrears|overdue|past due|unpaid"
    ),
    r"payment required|quota (?:is )?(?:exhausted|used up)|account is not active|余额不足|欠费|额度(?:不足|已用尽)|账户余额",  # noqa: E501
    (
        r"balance (?:is |has been )?(?:exhausted|depleted|used up)|top up|payment method|key limit "
        r"exceeded|requires a (?:paid )?subscription"
    ),
    r"(?:subscription|(?:free )?trial|plan) (?:has |is )?(?:been )?(?:ended|expired|cancel+ed|over)\b",
)
PASSING = _any(r"per[ _-]?minute|per[ _-]?second|\b[rt]pm\b|\bqps\b|retry in|try again in|rate limit reached")
"""A quota in a 429 that matches this is temporary."""

PATIENCE = _any(
    (
        r"loading (?:the )?model|model (?:\S+ )?is (?:currently |still )?(?:loading|overloaded|busy|"
        r"starting)|overloaded|temporarily"
    ),
    r"model is (?:currently |still )?being loaded|retry (?:shortly|later|in a (?:moment|few))|"
    r"server is busy|try again (?:in|later)|capacity exceeded|allocated quota exceeded|currently "
    r"unavailable|no slots? available",
)

ACCOUNT_WORDS = (
    (Kind.CREDIT, CREDIT),
    (
        Kind.KEY,
        _any(
            (
                r"(?:api|access|subscription)[ _-]?key\b.{0,40}(?:invalid|not valid|expired|incorrect|"
                r"revoked|disabled|leaked|not found|missing)"
            ),
            (
                r"(?:invalid|incorrect|expired|missing|revoked|no|malformed|bad) (?:api|access|proxy "
                r"server|subscription|auth\w*)[ _-]?(?:key|token)"
            ),
            (
                r"invalid (?:token|credentials|bearer|authorization)|token (?:has )?(?:expired|seems "
                r"invalid|is invalid)|unauthenticated|无效的令牌"
            ),
            (
                r"token (?:has been |was |is )revoked|security token\b.{0,40}(?:expired|invalid)|key[ "
                r"-]based authentication is disabled"
            ),
        ),
    ),
    (
        Kind.ACCOUNT,
        _any(
            (
                r"(?:account|organi[sz]ation|project|user|workspace|team|consumer)\b.{0,60}(?:suspended|"
                r"deactivated|disabled|restricted|terminated)"
            ),
            (
                r"(?:account|organi[sz]ation|project|user|workspace|team|consumer)\b.{0,60}(?:banned|"
                r"locked|blocked|archived|must be verified)"
            ),
            (
                r"(?:account|organi[sz]ation|project|team|key)\b.{0,40}(?:on hold|under review|(?:is not|"
                r"isn't) allowed to (?:use|access))"
            ),
            r"blocked at the (?:project|organi[sz]ation) level|access denied due to|firewall rules",
            r"access (?:was|has been) (?:terminated|blocked)|must be a member of an organi[sz]ation",
            r"no endpoints found matching your",
            (
                r"(?:country|region|territory|location)\b.{0,40}(?:not supported|unsupported|not "
                r"available|restricted)|账户已?被?(?:禁用|封禁)"
            ),
        ),
    ),
)
"""In order. These phrases take precedence over `try again later`."""

REQUEST_WORDS = (
    (
        Kind.VISION,
        _any(
            (
                r"images? (?:input|content|url)?s? ?(?:is|are)? ?not supported|(?:not|n't) support "
                r"(?:the )?(?:\w+ )?(?:image|vision|multimodal)"
            ),
            (
                r"support image input|image[_ ]urls? (?:is|are) only supported by|not a (?:multimodal|"
                r"vision)|unknown variant .{0,3}image_url"
            ),
            r"unsupported content (?:part )?type.{0,12}image_url|missing data required for image",
            r"mmproj|no vision",
            r"(?:image|vision|multimodal)\b.{0,30}(?:is not supported|not enabled|unsupported by)",
        ),
    ),
    (
        Kind.IMAGES,
        _any(
            (
                r"too many (?:input )?images|at most \d+ image|(?:supports?|maximum|max|"
                r"limit)\b.{0,40}\b\d+ images|number of images"
            ),
            r"limit-mm-per-prompt|image items in (?:the same|one) prompt",
            r"images? count\b.{0,20}(?:exceed|at most|maximum|limit)|only (?:one|a single|\d+) images?\b|"
            r"images? (?:count|limit) exceed|images in (?:one|the|a) (?:request|"
            r"prompt).{0,40}(?:exceed|limit|maximum)",
        ),
    ),
    (
        Kind.PIXELS,
        _any(
            r"images? (?:payload|data|size)\b.{0,20}larger than|image (?:size |file |dimensions? "
            r")?(?:is |are )?(?:too (?:large|big)|exceeds?)|"
            r"(?:too large|too big|oversized) image|image resolution",
            (
                r"image.{0,60}exceeds? .{0,30}(?:mb|bytes|pixels|maximum|max allowed)|max(?:imum)? "
                r"(?:image|allowed) (?:size|dimension)"
            ),
        ),
    ),
    (
        Kind.LENGTH,
        _any(
            (
                r"(?:context|input|prompt)\b.{0,60}(?:length|size|window|tokens?)\b.{0,120}(?:exceed|"
                r"maximum|longer|limit|less than|must be <=)"
            ),
            (
                r"exceeds? .{0,60}(?:context|token limit|token count|maximum number of tokens|maximum "
                r"allowed length)|maximum context"
            ),
            (
                r"(?:prompt|input|request|message|payload|text)s? (?:is |are |was )?(?:too (?:long|large|"
                r"big))|model token limit|n_ctx|num_ctx"
            ),
            (
                r"(?<![a-z_])tokens?\b.{0,120}(?:(?:greater|longer|larger) than the (?:model's )?context|"
                r"context length is only)"
            ),
            r"shorten your|not fit in(?:to)? the (?:model's )?context",
            (
                r"longer than the (?:maximum model|model's context)|context (?:the )?overflow|context "
                r"length of only|payload size exceeds"
            ),
            (
                r"(?:content|entity|body) (?:is )?too large|too many (?:input )?tokens|range of input "
                r"length|length of prompt_tokens"
            ),
            r"must have less than \d+ tokens|reduce (?:the length|your (?:message|prompt|input))",
        ),
    ),
    (
        Kind.FORMAT,
        _any(
            r"(?:unsupported|invalid|not a valid|unrecogni[sz]ed) image|image (?:is )?not valid",
            r"image (?:format|type|data|media.type|mime)\b.{0,60}(?:not|unsupported|invalid)",
            (
                r"(?:could not|cannot|can't|failed to|unable to) (?:process|decode|load|identify|read|"
                r"open|parse)(?: \w+){0,2} image"
            ),
        ),
    ),
)
"""In order, after ACCOUNT_WORDS."""

OTHER_WORDS = (
    (
        Kind.CONTENT,
        _any(
            (
                r"content (?:management|filter|polic|violat|moderat)|moderation|flagged|usage (?:polic|"
                r"guidelines)|responsible ai|harmful|high risk"
            ),
            (
                r"safety (?:system|filter|settings|polic|check|reasons)|inappropriate content|prohibited "
                r"(?:content|use)|unsafe content"
            ),
            r"content exists risk|sensitive (?:content|words|information)|敏感|不安全|违规",
        ),
    ),
    (
        Kind.MODEL,
        _any(
            (
                r"model (?:is |was |has been )?(?:unloaded|not loaded|crashed|decommissioned|deprecated|"
                r"retired)|models? loaded|failed to load model"
            ),
            (
                r"model\b.{0,120}(?:not found|does(?: not|n't) exist|not exist|is not (?:available|"
                r"served|supported|a valid|deployed))|has crashed"
            ),
            (
                r"(?:invalid|unknown|unsupported|no such|not a valid|not found the|no access to|unable "
                r"to access) model|provider not provided"
            ),
            r"model (?:id|name).{0,40}(?:invalid|unknown)|no (?:available channel|endpoints found)",
            r"try pulling it|requires more system memory",
            r"not (?:have|having) access to (?:the |this )?(?:\w+ )?model|model access is denied",
            r"throughput isn.t supported",
            r"does not support (?:chat|generate)|deployment\b.{0,60}does not exist|模型不存在|无可用渠道",
        ),
    ),
    (
        Kind.SETTING,
        _any(
            r"system role (?:is )?not supported|conversation roles must alternate",
            r"unsupportedparamserror|at most \d+ completion tokens",
            r"max_(?:completion_)?tokens\b.{0,60}(?:too large|too high|at most|must be|>)",
            r"temperature\b.{0,60}(?:must be|range|<=|between)",
        ),
    ),
    (
        Kind.BAD_ANSWER,
        _any(r"failed to (?:generate|validate) json|generated (?:json|output).{0,40}(?:invalid|not match)"),
    ),
)
"""In order, for errors about neither a field of the request nor the form of the answer."""

STATUS = {
    401: Kind.KEY,
    402: Kind.CREDIT,
    404: Kind.MODEL,
    405: Kind.MODEL,
    410: Kind.MODEL,
    413: Kind.LENGTH,
    408: Kind.LATER,
    409: Kind.LATER,
    424: Kind.LATER,
    425: Kind.LATER,
    429: Kind.LATER,
}
"""Used if neither codes nor phrases decide. Other statuses from 500 on are LATER, others UNKNOWN."""
