// SPDX-License-Identifier: Apache-2.0
#pragma once
// The little that object stores say in XML.

#include <optional>
#include <string>
#include <string_view>

namespace sluice::backend {

// The text of the first element <name>…</name> that holds only text, with its entities decoded; nothing when there is
// none, or when it is longer than 4 KiB.  `name` has no attributes and no prefix in these documents.
std::optional<std::string> FindXmlText(std::string_view document, std::string_view name);

// `text` as it may stand between tags.
std::string EscapeXml(std::string_view text);

}  // namespace sluice::backend
