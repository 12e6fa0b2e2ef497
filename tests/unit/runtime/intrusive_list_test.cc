// SPDX-License-Identifier: Apache-2.0
#include "runtime/intrusive_list.h"

#include <catch2/catch.hpp>
#include <vector>

namespace sluice::runtime {
namespace {

struct Element : ListHook {
  explicit Element(int n) : number(n) {}
  int number;
};

std::vector<int> Drain(IntrusiveList<Element>& list) {
  std::vector<int> numbers;
  while (Element* element = list.PopFront()) numbers.push_back(element->number);
  return numbers;
}

TEST_CASE("a list gives its elements in the order in which they came") {
  Element a(1), b(2), c(3);
  IntrusiveList<Element> list;
  for (Element* each : {&a, &b, &c}) list.PushBack(*each);
  CHECK(Drain(list) == std::vector{1, 2, 3});
  CHECK(list.empty());
}

TEST_CASE("an element leaves the middle of its list") {
  Element a(1), b(2), c(3);
  IntrusiveList<Element> list;
  for (Element* each : {&a, &b, &c}) list.PushBack(*each);
  b.Unlink();
  CHECK_FALSE(b.linked());
  CHECK_FALSE(list.Remove(b));
  CHECK(list.Remove(a));
  CHECK(Drain(list) == std::vector{3});
}

TEST_CASE("a list takes over all of another behind its own") {
  Element a(1), b(2), c(3), d(4);
  IntrusiveList<Element> list, other, empty;
  list.PushBack(a);
  other.PushBack(b);
  other.PushBack(c);
  list.TakeAll(other);
  list.TakeAll(empty);
  CHECK(other.empty());
  list.PushBack(d);
  CHECK(Drain(list) == std::vector{1, 2, 3, 4});
}

}  // namespace
}  // namespace sluice::runtime
