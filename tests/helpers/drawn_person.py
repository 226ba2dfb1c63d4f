"""A person drawn with thick lines, good enough for a detector, whose joints are known."""

import cv2
import numpy as np

SIZE = (480, 640)
BACKGROUND = (200, 205, 210)
SKIN, SHIRT, TROUSERS, DARK = (225, 180, 150), (60, 90, 160), (50, 50, 60), (40, 30, 30)

JOINTS = {
    "Nose": (0, -208),
    "LShoulder": (58, -135),
    "RShoulder": (-58, -135),
    "LElbow": (95, -55),
    "RElbow": (-95, -55),
    "LWrist": (120, 25),
    "RWrist": (-120, 25),
    "LHip": (25, 20),
    "RHip": (-25, 20),
    "LKnee": (35, 130),
    "RKnee": (-35, 130),
    "LAnkle": (38, 240),
    "RAnkle": (-38, 240),
}
"""px from the middle of a person who faces us, 480 px high."""


def joints(centre=(240, 320), scale=1.0):
    """Where each joint is, px."""
    return {name: np.add(centre, np.multiply(at, scale)) for name, at in JOINTS.items()}


def draw_person(image, centre=(240, 320), scale=1.0):
    """Draw somebody who faces us into an RGB image, in place."""
    at = {name: tuple(int(v) for v in xy) for name, xy in joints(centre, scale).items()}
    x, y = centre

    def px(value):
        return max(1, round(value * scale))

    def line(start, end, wide, colour):
        cv2.line(image, at[start], at[end], colour, px(wide), cv2.LINE_AA)

    def oval(dx, dy, wide, high, colour):
        middle = (round(x + dx * scale), round(y + dy * scale))
        cv2.ellipse(image, middle, (px(wide), px(high)), 0, 0, 360, colour, -1, cv2.LINE_AA)

    for side, sign in (("L", 1), ("R", -1)):
        line(f"{side}Hip", f"{side}Knee", 38, TROUSERS)
        line(f"{side}Knee", f"{side}Ankle", 30, TROUSERS)
        oval(48 * sign, 255, 24, 10, DARK)
    trunk = [(-58, -150), (58, -150), (46, 25), (-46, 25)]
    corners = np.round(np.add((x, y), np.multiply(trunk, scale))).astype(np.int32)
    cv2.fillPoly(image, [corners], SHIRT, cv2.LINE_AA)
    for side, sign in (("L", 1), ("R", -1)):
        line(f"{side}Shoulder", f"{side}Elbow", 26, SHIRT)
        line(f"{side}Elbow", f"{side}Wrist", 20, SKIN)
        oval(122 * sign, 35, 14, 14, SKIN)
    oval(0, -160, 15, 25, SKIN)
    oval(0, -243, 38, 28, (60, 40, 30))
    oval(0, -213, 36, 44, SKIN)
    for sign in (1, -1):
        oval(14 * sign, -220, 5, 5, (255, 255, 255))
        oval(14 * sign, -220, 3, 3, DARK)
        oval(14 * sign, -231, 7, 2, (60, 40, 30))
    oval(0, -208, 4, 8, (205, 150, 125))
    oval(0, -190, 12, 4, (180, 80, 80))
    return image


def empty(size=SIZE):
    return np.full((size[1], size[0], 3), BACKGROUND, np.uint8)
