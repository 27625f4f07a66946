"""Which languages the desk speaks, each by its BCP 47 code and under the name that its speakers give it. Pure."""

LANGUAGES = {
    "en": "English",
    "km": "ភាសាខ្មែរ",
    "ru": "Русский",
    "kk": "Қазақша",
    "uz": "Oʻzbekcha",
    "es": "Español",
    "fr": "Français",
    "de": "Deutsch",
    "zh": "中文",
    "ar": "العربية",
}
