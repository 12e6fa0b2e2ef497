// SPDX-License-Identifier: Apache-2.0
#pragma once
// A list whose links live in its elements, so that queueing a suspended task allocates nothing and cannot fail.

#include "base/check.h"

namespace sluice::runtime {

// Base of an element.  An element is in at most one list; destroying a linked one is a bug and aborts.
class ListHook {
 public:
  ListHook() noexcept = default;
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;
  ~ListHook() { SLUICE_CHECK(!linked(), "a list element is destroyed while it is in a list"); }

  bool linked() const noexcept { return next_ != nullptr; }
  // Leaves its list; allowed when it is in none.
  void Unlink() noexcept {
    if (!linked()) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    prev_ = next_ = nullptr;
  }

 private:
  template <typename T>
  friend class IntrusiveList;
  ListHook* prev_ = nullptr;
  ListHook* next_ = nullptr;
};

// First in, first out.  T derives from ListHook (not virtually, exactly once as seen from T).  Does not own its
// elements.
template <typename T>
class IntrusiveList {
 public:
  IntrusiveList() noexcept { root_.prev_ = root_.next_ = &root_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    SLUICE_CHECK(empty(), "a list is destroyed before its elements have left it");
    root_.prev_ = root_.next_ = nullptr;
  }

  bool empty() const noexcept { return root_.next_ == &root_; }
  T* front() noexcept { return empty() ? nullptr : static_cast<T*>(root_.next_); }

  void PushBack(T& element) noexcept {
    ListHook& hook = element;
    SLUICE_CHECK(!hook.linked(), "an element is put into a second list");
    hook.prev_ = root_.prev_;
    hook.next_ = &root_;
    root_.prev_->next_ = &hook;
    root_.prev_ = &hook;
  }
  // The first element, which leaves the list; null when there is none.
  T* PopFront() noexcept {
    T* element = front();
    if (element != nullptr) static_cast<ListHook&>(*element).Unlink();
    return element;
  }
  // Moves all elements of `other` behind those of this list.
  void TakeAll(IntrusiveList& other) noexcept {
    if (other.empty()) return;
    other.root_.next_->prev_ = root_.prev_;
    root_.prev_->next_ = other.root_.next_;
    other.root_.prev_->next_ = &root_;
    root_.prev_ = other.root_.prev_;
    other.root_.prev_ = other.root_.next_ = &other.root_;
  }
  // Takes `element` out when it is in this list; looks at each element of the list, and at `element` only then.
  bool Remove(const T& element) noexcept {
    for (ListHook* at = root_.next_; at != &root_; at = at->next_) {
      if (static_cast<T*>(at) != &element) continue;
      at->Unlink();
      return true;
    }
    return false;
  }

 private:
  ListHook root_;
};

}  // namespace sluice::runtime
