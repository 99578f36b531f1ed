"""Writes a checkpoint as training writes it, with random weights.

    make_checkpoint.py "--model lavt_one --swin_type base --window12" OUT.pth

It has `model`, `bert_model` (for `lavt`), `optimizer`, `epoch`, `args` (a Namespace with every published option) and
`lr_scheduler`. With --optimizer-state the moments of AdamW are in it, which triples its size; with --legacy it has PyTorch's
format before 1.6.
"""
import argparse

import torch

import lavt_torch as lavt
from golden_format import fill

FLAGS = """
a2d_masks amsgrad bcam cat_reduce_3 ckpt ddp_trained_weights debug efn fix_lr gacd hs image_combined_3d_pretrain
interpolate_before_seg lazy_pred mm_3 mm_3x3 mm_t3x3_s1x1 not_consecutive pin_mem ref_image_combined_pretrain res sample_3
save_feats seg_last sep_seq_t_pwam sep_seq_t_pwam_inner sep_t_pwam sep_t_pwam_inner seq_t_pwam s_tanh_plus_1_gate_1_q
s_tanh_plus_1_gate_1_v t_tanh_plus_1_gate_1_q t_tanh_plus_1_gate_1_v ts_pwam tspwam_sum t_pwam t_pwam_comp use_amp
use_checkpoint visualize window12 w_3 w_3x3 w_t3x3_s1x1 ytvos_2d_swin_pwam ytvos_2d_swin_3d_pwam""".split()
TEXTS = """
mha pretrained_swin_weights pretrained2d_lavt_weights pretrained2d_lavt_weights_for_a_3d_model
pretrained_video_lavt_weights_on_refcocos pseudo_video_aug resume sept_sum_3_kernel_size sept_cat_reduce_kernel_size""".split()
OTHERS = {
    "att_norm_layer_type": "IN", "a2d_data_root": "./data/A2D/Release/", "batch_size": 8, "bert_tokenizer": "bert-base-uncased",
    "ck_bert": "bert-base-uncased", "clip_length": 8, "conv3d_kernel_size": "3-1-1", "conv3d_kernel_size_t": "3-1-1",
    "conv3d_kernel_size_s": "1-1-1", "conv3d_kernel_size_sq": "1-3-3", "dataset": "refcoco", "davis_data_root": "./data/DAVIS/",
    "device": "cuda:0", "epochs": 40, "fuse": "default", "fusion_drop": 0.0, "img_size": 480, "lang_enc_params": "encoder-10",
    "lg_act_layer": "tanh", "local_rank": 0, "loss": "ce", "loss_focal_rate": 3, "loss_boundary_rate": 0.05, "lr": 5e-5,
    "loss_dice_rate": 1, "lr_upsample": 3e-5, "map_score": "mask_pool", "model": "lavt", "model_id": "lavt", "ngpus": 1,
    "num_frames": 1, "output_dir": "./checkpoints/", "print_freq": 10, "refer_data_root": "./refer/data/", "split": "test",
    "splitBy": "unc", "swin_type": "base", "test_fake_method": "add_first", "version": "default", "weight_decay": 0.01,
    "workers": 8, "ytvos_data_root": "./data/ReferringYouTubeVOS2021/"}


def published_options(command):
    """A Namespace with every published option, at its default but for those of the command line."""
    values = dict.fromkeys(FLAGS, False) | dict.fromkeys(TEXTS, "") | OTHERS | vars(lavt.options(command))
    return argparse.Namespace(**values)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", help="the model's command line, as one argument")
    parser.add_argument("output")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--golden", action="store_true",
                        help="det.py's parameters instead of random ones (`bert_model` stays random)")
    parser.add_argument("--optimizer-state", action="store_true")
    parser.add_argument("--legacy", action="store_true")
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    opt = published_options(arguments.command)
    model = lavt.build(opt)
    if arguments.golden:
        fill(model, torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=opt.lr, weight_decay=opt.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 - step / 1000) ** 0.9)
    if arguments.optimizer_state:
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)
        optimizer.step()
        schedule.step()
    checkpoint = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 7, "args": opt,
                  "lr_scheduler": schedule.state_dict()}
    if opt.model == "lavt":
        checkpoint["bert_model"] = lavt.Bert().state_dict()
    torch.save(checkpoint, arguments.output, _use_new_zipfile_serialization=not arguments.legacy)


if __name__ == "__main__":
    main()
